"""Rules that permit or stop travel: clearances, the travel gate, revocations, voluntariness and return advisories.

Rules about one stage belong in ``stages``. Start with ``travel_gate.py``.
"""
