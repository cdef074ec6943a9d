"""Lists for partners who answer on paper or in spreadsheets: issue, collect, parse, render.

No web framework is imported here; reading files is in ``tabular``. Start with ``issue.py``.
"""
