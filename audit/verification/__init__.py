"""``awda verify``: compares events, messages, read tables, workflows, files and ledgers, and reports differences.

One module for each comparison, and the report. It only reads. Start with ``verify.py``.
"""
