"""Projections for lists and reports, built from the log. They can be deleted and rebuilt at any time.

Decisions are never based on them: a decision reads the log. Start with ``projector.py``.
"""
