"""The aggregate: the state of one case and its referrals, rebuilt from events.

No rule is decided here; rules are in ``clearance``, ``referral``, ``casework`` and ``stages``. Start with
``aggregate.py``.
"""
