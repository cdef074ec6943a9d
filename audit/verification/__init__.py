"""``awda verify``: one file for each comparison, and the report.

Start with ``verify.py``.
"""
