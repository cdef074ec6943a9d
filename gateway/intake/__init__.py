"""The application service that accepts messages from staff and partners and stores them in the inbox.

It imports no web framework, because the command line uses it too. Start with ``service.py``.
"""
