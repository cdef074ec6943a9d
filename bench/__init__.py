"""Benchmarks: ratios of paired, interleaved runs on the same servers, so that a noisy machine disturbs both alike.

Tests do not belong here: a benchmark reports figures and whether they meet their target. Start with ``__main__.py``.
"""
