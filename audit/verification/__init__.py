"""``awda verify``: one file for each comparison, and the report.

Repairs do not belong here: a finding is reported, never corrected. Start with ``verify.py``.
"""
