"""The gateway: the HTTP API, the public pages, and the application services that accept and read messages.

It stores messages in the inbox and never calls Temporal. Rules about cases belong in ``domain``. Start with ``app.py``.
"""
