"""Sheets for partners who answer on paper or in spreadsheets: issue, render, parse and collect.

No web framework is imported here; the HTTP routes are in ``gateway/api/sheets.py``. Start with ``issue.py``.
"""
