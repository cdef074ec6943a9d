"""Rules about the whole case: its life cycle, holds, notes, deadlines, evidence, and its seat on a flight.

Rules about one stage belong in ``stages``, those about referrals in ``referral``. Start with ``lifecycle.py``.
"""
