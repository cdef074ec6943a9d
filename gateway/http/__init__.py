"""What every route shares: problem documents, request bodies, authorization, rate limits, connections.

Start with ``problems.py``.
"""
