"""What staff, partners and other streams may send: one file for each stage, and case, referral, signal, seat letters.

A command holds fields and their form; its handler is in the stage or in ``casework``. Start with ``case.py``.
"""
