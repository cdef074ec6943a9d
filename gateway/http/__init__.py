"""What all routes share: problem documents, request bodies, authorization, rate limits and connection limits.

Start with ``problems.py``.
"""
