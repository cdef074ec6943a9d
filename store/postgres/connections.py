"""Held connections for the hot path: taken and put back without a task or a proxy, which a general pool makes of each.

Like the pool's, their sessions keep no state. A line that broke is replaced by the next that needs one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol, TypeVar

import asyncpg

from store.postgres.database import SETTINGS

HELD: Final = 10

T = TypeVar("T")


class Queries(Protocol):
    """What can put a statement to the database: a pool, or lines."""

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]: ...
    async def fetchval(self, query: str, *args: Any) -> Any: ...
    async def execute(self, query: str, *args: Any) -> str: ...


class HeldConnections:
    """So many connections at the most, opened when they are first needed; the last used one is used again first."""

    def __init__(self, dsn: str, at_most: int = HELD, **options: Any) -> None:
        self._dsn, self._options = dsn, {"command_timeout": 20, "server_settings": SETTINGS, **options}
        self._free: list[asyncpg.Connection[asyncpg.Record]] = []
        self._room = asyncio.Semaphore(at_most)
        self._over = False

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        return await self._ask(asyncpg.Connection.fetch, query, args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        return await self._ask(asyncpg.Connection.fetchval, query, args)

    async def execute(self, query: str, *args: Any) -> str:
        return await self._ask(asyncpg.Connection.execute, query, args)

    async def _ask(self, how: Callable[..., Awaitable[T]], query: str, args: Sequence[Any]) -> T:
        async with self._room:
            line = await self._take()
            try:
                return await how(line, query, *args)
            finally:
                self._put_back(line)

    async def _take(self) -> asyncpg.Connection[asyncpg.Record]:
        while self._free:
            line = self._free.pop()
            if not line.is_closed():
                return line
        if self._over:
            raise asyncpg.InterfaceError("the lines are closed")
        return await asyncpg.connect(self._dsn, **self._options)

    def _put_back(self, line: asyncpg.Connection[asyncpg.Record]) -> None:
        if self._over:
            line.terminate()
        else:
            self._free.append(line)

    async def close(self) -> None:
        """Hang up, at once where nobody speaks and otherwise when they have had their answer."""
        self._over = True
        connections, self._free = self._free, []
        await asyncio.gather(
            *(line.close(timeout=2) for line in connections if not line.is_closed()), return_exceptions=True
        )


@asynccontextmanager
async def open_connections(dsn: str, at_most: int = HELD) -> AsyncIterator[HeldConnections]:
    """Lines for as long as the block lasts."""
    connections = HeldConnections(dsn, at_most)
    try:
        yield connections
    finally:
        await connections.close()
