"""The service that accepts messages from staff and partners and stores them in the inbox.

No web framework is imported here, because the command line uses it too. Start with ``service.py``.
"""
