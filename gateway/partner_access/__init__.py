"""How a partner without a connected system sees and answers a referral: task links, FHIR mapping, the referral view.

No web framework is imported here. Start with ``referral_view.py``.
"""
