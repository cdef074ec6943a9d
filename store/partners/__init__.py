"""The registry of partners, and their keys, task links and sheets.

Messages to and from partners are in ``messages``. Start with ``registry.py``.
"""
