"""What happens when a partner's signal arrives: placed, applied, ignored as late or repeated, or quarantined.

Start with ``handler.py``.
"""
