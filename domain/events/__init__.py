"""What can have happened.

One file for each stage, and one each for case, referral, partner report, signal, escalation and evidence.

An event holds fields and how it changes the aggregate, never a rule. Start with ``case.py``.
"""
