"""Reading CSV, XLSX and JSON files, and normalizing the values that people write in them.

No web framework is imported here, and nothing about sheets or registration lists. Start with ``files.py``.
"""
