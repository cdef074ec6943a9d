"""PostgreSQL, which holds the truth: the log, the inbox, the outbox, the keys."""
