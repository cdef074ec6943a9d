"""The aggregate: the state of one case and its referrals, rebuilt from events.

No rule is decided here. Start with ``aggregate.py``.
"""
