"""Rules about requests to partners: life cycle, outcomes, payloads, disclosure, notifications, escalation, delivery.

What a partner's signal does to a case is in ``signals``. Start with ``requests.py``.
"""
