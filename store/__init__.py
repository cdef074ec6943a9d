"""Everything that is stored in PostgreSQL: the event log, inbox, outbox, keys, partners and projections.

Rules do not belong here: ``domain`` decides, this package stores. Start with ``log/recorder.py``, which writes one
changeset as a whole.
"""
