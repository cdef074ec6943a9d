"""How a partner without a connected system reads and answers a referral: task links, FHIR mapping, the referral view.

No web framework is imported here; the routes are in ``gateway/pages`` and ``gateway/api``. Start with
``referral_view.py``.
"""
