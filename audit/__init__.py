"""Queries over recorded data: replay, history, explanation, disclosures and verification.

This package only reads. It may read everything below it (the log, messages, read tables, workflows) and never
changes or decides anything. Start with ``replay.py``.
"""
