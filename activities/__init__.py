"""The Temporal activities: they record decisions and deliver messages to partners.

The rules that a recording applies are in ``domain``. Start with ``recording.py``.
"""
