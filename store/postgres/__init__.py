"""Access to PostgreSQL: connection pools, migrations, the programme clock, notifications and failpoints.

Nothing here depends on a table of the domain. Start with ``database.py``.
"""
