"""Reading CSV, XLSX and JSON files, and normalizing what people write in them.

No web framework is imported here. Start with ``files.py``.
"""
