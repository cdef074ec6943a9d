"""The events that can be recorded: one file per stage, and one per wider subject.

An event holds its fields, its sentence, and how it changes the aggregate; it contains no rules. Start with ``case.py``.
"""
