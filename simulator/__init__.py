"""Synthetic people, simulated partners and staff, so that a demo carries cases through all stages in minutes.

Nothing here runs in production. Start with ``demo.py``.
"""
