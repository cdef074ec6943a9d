"""Reading CSV, XLSX and JSON files, and normalizing what people write in them.

What the rows mean is in ``sheets`` and in ``cli.registration_list``. Start with ``files.py``.
"""
