"""Everything that is kept in PostgreSQL: the log, inbox, outbox, keys, partners, and the read tables.

Rules do not belong here: ``domain`` decides, this package stores. Start with ``log/recorder.py``, which writes one
recording as a whole.
"""
