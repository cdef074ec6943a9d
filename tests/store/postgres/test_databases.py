"""Test databases are in the state after the migrations, also if another test used them before."""

from __future__ import annotations

from uuid import uuid4

import asyncpg
import pytest

from store.crypto.keys import KeyStore
from store.messages.inbox import Inbox, IncomingMessage
from store.postgres.database import open_pool
from tests.support.databases import Databases
from tests.support.running_worker import MASTER

CHANGES = (
    "ALTER TABLE events DISABLE TRIGGER ALL",
    "GRANT DELETE ON events TO awda_app",
    "ALTER TABLE inbox ADD COLUMN more text",
    "CREATE OR REPLACE FUNCTION awda_now() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
    "DROP INDEX inbox_early",
    "CREATE TABLE another (id int)",
    "ALTER DATABASE CURRENT SET work_mem = '1MB'",
)


async def everything(dsn: str) -> dict[str, list[asyncpg.Record]]:
    """Returns all rows of all tables, and the values of the sequences."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        rows = {name: await connection.fetch(f"TABLE {name} ORDER BY 1") for (name,) in tables}
        return rows | {"sequences": await connection.fetch("SELECT sequencename, last_value FROM pg_sequences")}
    finally:
        await connection.close()


async def test_what_one_test_wrote_another_does_not_find(databases: Databases) -> None:
    database = await databases.take()
    before = await everything(database.owner_dsn)
    left_open, pool = await asyncpg.connect(database.app_dsn), await open_pool(database.app_dsn)
    message = IncomingMessage(uuid4(), None, "staff", "staff.message", b"{}", "staff:a", "staff:a")
    await Inbox(pool, KeyStore(pool, MASTER)).start_case(message)
    await pool.close()
    assert await everything(database.owner_dsn) != before

    await databases.give_back(database)

    assert await everything(database.owner_dsn) == before
    assert await databases.take() == database
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await left_open.execute("SELECT 1")
    await databases.give_back(database)


@pytest.mark.parametrize("change", CHANGES)
async def test_a_database_that_a_test_altered_is_not_used_again(databases: Databases, change: str) -> None:
    database = await databases.take()
    connection = await asyncpg.connect(database.owner_dsn)
    await connection.execute(change.replace("CURRENT", database.name))
    await connection.close()

    await databases.give_back(database)

    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(database.owner_dsn)
