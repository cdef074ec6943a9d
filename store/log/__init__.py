"""The event log: rows, mapper, hash chain, recorder, repository and feed.

Only a recording appends to it; messages are in ``messages``. Start with ``recorder.py``.
"""
