"""The Temporal activities: recording decisions, and delivering messages to partners.

The rules that a recording applies are in ``domain``. Start with ``recording.py``.
"""
