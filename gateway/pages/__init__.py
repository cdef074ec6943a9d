"""HTML pages for people without a system of their own: one request and its answer, and a request for a call.

Pages have no script, are smaller than ten kilobytes, and exist in English, French and Arabic. Rules and messages are
elsewhere (``gateway/partner_access``, ``gateway/intake``). Start with ``routes.py``.
"""
