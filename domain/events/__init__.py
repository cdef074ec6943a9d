"""The events that can be recorded: one file per stage, and one per wider subject.

An event holds fields, its sentence, and how it changes the aggregate, never a rule. Start with ``case.py``.
"""
