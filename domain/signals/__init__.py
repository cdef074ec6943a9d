"""Rules for a signal from a partner: matched to its referral, applied, ignored as late or repeated, or quarantined.

Requests to partners are in ``referral``. Start with ``handler.py``.
"""
