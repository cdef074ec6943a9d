"""The event log: rows, mapper, hash chain, recorder, feed.

Only a recording appends to it; messages that wait are in ``messages``. Start with ``recorder.py``.
"""
