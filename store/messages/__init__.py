"""Messages in and out: inbox, outbox, receipts, ledgers, referral tokens, quarantine.

Events are in ``log``; the content of messages is checked by ``gateway.intake``. Start with ``inbox.py``.
"""
