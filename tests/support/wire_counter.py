"""A proxy between a client and PostgreSQL that counts round trips and can drop one response and the connection."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

EXECUTE = b"E"

ENDS_A_TRIP = b"SQH"  # Sync, simple Query, Flush: after these the client waits for a response


class WireCounter:
    """Listens on a Unix socket; connect with ``host=wire.folder, port=5432``.

    ``swallow``: if set, the response to the next statement is dropped and the connection is closed.
    """

    def __init__(self, dsn: str) -> None:
        self.trips = 0
        self.swallow = False
        self._dropping = False
        self._dsn = dsn
        self._folder = tempfile.TemporaryDirectory(prefix="wire")
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def folder(self) -> str:
        return self._folder.name

    async def __aenter__(self) -> Self:
        direct = await asyncpg.connect(self._dsn)
        self._address = direct._addr  # type: ignore[attr-defined]  # asyncpg has resolved the DSN
        await direct.close()
        self._server = await asyncio.start_unix_server(self._join, str(Path(self.folder) / ".s.PGSQL.5432"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.close()
        self._cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._folder.cleanup()

    async def _join(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await self._upstream()
        self._writers += [to_client, to_server]
        for way in (self._forward(client, to_server), self._back(server, to_client)):
            task = asyncio.create_task(way)
            self._tasks.add(task)

    async def _upstream(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._address, str):
            return await asyncio.open_unix_connection(self._address)
        return await asyncio.open_connection(*self._address[:2])

    async def _forward(self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        kind = b""  # the first packet has no kind
        try:
            while True:
                size = await client.readexactly(4)
                to_server.write(kind + size + await client.readexactly(int.from_bytes(size, "big") - 4))
                self._dropping = self._dropping or (self.swallow and kind == EXECUTE)
                await to_server.drain()
                self.trips += kind != b"" and kind in ENDS_A_TRIP
                kind = await client.readexactly(1)
        except (asyncio.IncompleteReadError, ConnectionError):
            to_server.close()

    async def _back(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            while answer := await server.read(65536):
                if self._dropping:
                    self.swallow = self._dropping = False
                    self._cut()
                    return
                to_client.write(answer)
                await to_client.drain()
        except ConnectionError:
            pass
        to_client.close()

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
