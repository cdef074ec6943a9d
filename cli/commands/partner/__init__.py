"""The commands of ``awda partner``.

Start with ``group.py``.
"""
