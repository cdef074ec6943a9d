"""Held connections: limited, reused, replaced when they break, closed at the end."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from store.postgres.connections import HeldConnections, open_connections

WHO = "SELECT pg_backend_pid()"


async def test_a_line_is_used_again(database: Any) -> None:
    async with open_connections(database.app_dsn) as connections:
        assert len({await connections.fetchval(WHO) for _ in range(5)}) == 1


async def test_there_are_never_more_lines_than_allowed_and_everybody_is_served(database: Any) -> None:
    async with open_connections(database.app_dsn, at_most=3) as connections:
        asked = [connections.fetchval("SELECT pg_backend_pid() FROM pg_sleep(0.01)") for _ in range(20)]
        assert 1 <= len(set(await asyncio.gather(*asked))) <= 3


async def test_a_statement_that_fails_leaves_the_line_as_it_was(database: Any) -> None:
    async with open_connections(database.app_dsn, at_most=1) as connections:
        before = await connections.fetchval(WHO)
        with pytest.raises(asyncpg.UndefinedTableError):
            await connections.execute("DELETE FROM nowhere")
        assert await connections.fetchval(WHO) == before


async def test_a_line_that_broke_is_replaced(database: Any) -> None:
    async with open_connections(database.app_dsn, at_most=1) as connections:
        broken = await connections.fetchval(WHO)
        owner = await asyncpg.connect(database.owner_dsn)
        await owner.execute("SELECT pg_terminate_backend($1, 5000)", broken)
        await owner.close()
        found = await _until_answered(connections)
        assert found != broken


async def _until_answered(connections: HeldConnections) -> int:
    while True:
        try:
            return int(await connections.fetchval(WHO))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await asyncio.sleep(0.01)


async def test_who_is_cancelled_while_asking_gives_the_line_back(database: Any) -> None:
    async with open_connections(database.app_dsn, at_most=1) as connections:
        asking = asyncio.create_task(connections.fetchval("SELECT pg_sleep(60)"))
        await asyncio.sleep(0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await asyncio.wait_for(_until_answered(connections), 20)


async def test_at_the_end_every_line_is_hung_up(database: Any) -> None:
    async with open_connections(database.app_dsn) as connections:
        pid = await connections.fetchval(WHO)
    owner = await asyncpg.connect(database.owner_dsn)
    while await owner.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid):
        await asyncio.sleep(0.01)
    await owner.close()
    with pytest.raises(asyncpg.InterfaceError, match="closed"):
        await connections.fetchval(WHO)
