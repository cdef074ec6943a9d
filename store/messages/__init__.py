"""Messages in and out: inbox, outbox, receipts, ledgers, referral tokens, quarantine.

Start with ``inbox.py``.
"""
