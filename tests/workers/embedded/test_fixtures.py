"""The fixtures of the other tests: a new, migrated database that passes the checks of `awda doctor`."""

from __future__ import annotations

import asyncpg
import pytest

from tests.support.databases import Database
from workers.doctor import diagnose
from workers.embedded.installation import Servers


async def test_the_migrated_database_of_a_test_is_fit(servers: Servers, database: Database) -> None:
    found = await diagnose(database.owner_dsn, database.app_dsn, servers.temporal_address, embedded=True)
    assert [each for each in found if not each.ok] == []


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_gets_an_empty_database(database: Database, turn: int) -> None:
    connection = await asyncpg.connect(database.owner_dsn)
    try:
        assert await connection.fetchval("SELECT to_regclass('left_behind')") is None
        await connection.execute("CREATE TABLE left_behind ()")
    finally:
        await connection.close()
