"""What all routes share: problem documents, request bodies, authorization, rate limits and connection limits.

Routes are in ``api`` and ``pages``. Start with ``problems.py``.
"""
