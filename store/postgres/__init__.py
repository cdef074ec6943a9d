"""The connection to PostgreSQL: pool, held connections, migrations, clock, notifications, failpoints.

Nothing here depends on a table of the domain. Start with ``database.py``.
"""
