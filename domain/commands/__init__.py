"""The commands that staff, partners and other streams may send: one file per stage, and one per wider subject.

A command holds its fields and their format; its handler is in ``stages``, ``casework``, ``referral`` or ``signals``.
Start with ``case.py``.
"""
