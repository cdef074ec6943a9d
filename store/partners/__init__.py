"""The registry of partners, their keys, task links and sheets.

Start with ``registry.py``.
"""
