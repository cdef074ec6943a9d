"""Benchmarks. Most compare two implementations in interleaved runs on the same servers, so that noise affects both.

Run ``make bench``. Nothing imports this package except tests. Start with ``measure.py``.
"""
