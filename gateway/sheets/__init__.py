"""Lists for partners who answer on paper or in spreadsheets: issue, collect, parse, render.

No web framework is imported here. Start with ``issue.py``.
"""
