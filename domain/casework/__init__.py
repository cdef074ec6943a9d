"""What applies to the whole case: its life cycle, holds, notes, deadlines, evidence, the seat.

Start with ``lifecycle.py``.
"""
