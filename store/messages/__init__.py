"""Incoming and outgoing messages: inbox, outbox, receipts, ledgers, referral tokens, quarantine.

Events are in ``log``; the content of messages is checked by ``gateway.intake``. Start with ``inbox.py``.
"""
