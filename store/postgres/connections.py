"""A small connection pool for frequent statements, without the task and the proxy object per use of asyncpg's pool.

Sessions keep no state between uses. A broken connection is replaced when the next one is needed.
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
    """Anything that executes statements: a pool, or held connections."""

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]: ...
    async def fetchval(self, query: str, *args: Any) -> Any: ...
    async def execute(self, query: str, *args: Any) -> str: ...


class HeldConnections:
    """A pool of at most ``at_most`` connections, opened on demand; the most recently used one is used first."""

    def __init__(self, dsn: str, at_most: int = HELD, **options: Any) -> None:
        self._dsn, self._options = dsn, {"command_timeout": 20, "server_settings": SETTINGS, **options}
        self._free: list[asyncpg.Connection[asyncpg.Record]] = []
        self._limit = asyncio.Semaphore(at_most)
        self._closed = False

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        return await self._run(asyncpg.Connection.fetch, query, args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        return await self._run(asyncpg.Connection.fetchval, query, args)

    async def execute(self, query: str, *args: Any) -> str:
        return await self._run(asyncpg.Connection.execute, query, args)

    async def _run(self, method: Callable[..., Awaitable[T]], query: str, args: Sequence[Any]) -> T:
        async with self._limit:
            connection = await self._acquire()
            try:
                return await method(connection, query, *args)
            finally:
                self._release(connection)

    async def _acquire(self) -> asyncpg.Connection[asyncpg.Record]:
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        if self._closed:
            raise asyncpg.InterfaceError("The connections are closed")
        return await asyncpg.connect(self._dsn, **self._options)

    def _release(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        if self._closed:
            connection.terminate()
        else:
            self._free.append(connection)

    async def close(self) -> None:
        """Closes idle connections now, and busy ones when their statement has ended."""
        self._closed = True
        connections, self._free = self._free, []
        await asyncio.gather(
            *(each.close(timeout=2) for each in connections if not each.is_closed()), return_exceptions=True
        )


@asynccontextmanager
async def open_connections(dsn: str, at_most: int = HELD) -> AsyncIterator[HeldConnections]:
    """Opens held connections and closes them at the end of the block."""
    connections = HeldConnections(dsn, at_most)
    try:
        yield connections
    finally:
        await connections.close()
