"""The event log: rows, mapper, hash chain, recorder, feed.

Only a recording appends to it. Start with ``recorder.py``.
"""
