"""Notifications (LISTEN/NOTIFY) after a commit. Best effort: readers also poll at an interval.

A notification is never sent inside the writing transaction: NOTIFY takes a lock that would serialise all commits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final, Self

import asyncpg

from store.postgres.database import UNANSWERED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = logging.getLogger("awda.doorbell")

INBOX: Final = "awda_inbox"

EVENTS: Final = "awda_events"

OUTBOX: Final = "awda_outbox"

PAUSE_S: Final = 0.02

LOST: Final = (*UNANSWERED, asyncpg.PostgresError)


class Notifier:
    """Collects notifications for 20 ms and sends them together, on its own connection."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._scheduled: set[tuple[str, str]] = set()
        self._sending: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    def notify(self, channel: str, payload: object = "") -> None:
        """Schedules a notification to the listeners of a channel. Returns immediately and never raises."""
        self._scheduled.add((channel, str(payload)))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_soon())

    async def close(self) -> None:
        """Sends scheduled notifications and closes the connection."""
        if self._sending is not None:
            await self._sending
        if self._connection is not None:
            await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _send_soon(self) -> None:
        while self._scheduled:
            await asyncio.sleep(PAUSE_S)
            batch, self._scheduled = self._scheduled, set()
            await self._send(batch)

    async def _send(self, batch: Iterable[tuple[str, str]]) -> None:
        channels, payloads = zip(*batch, strict=True)
        try:
            connection = await self._connected()
            await connection.execute(_NOTIFY, channels, payloads, timeout=5)
        except LOST as error:
            self._disconnect()
            log.warning("notifications were lost (%s); readers find the rows when they poll", type(error).__name__)

    async def _connected(self) -> asyncpg.Connection[asyncpg.Record]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._dsn)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None


async def listen(dsn: str, channel: str, callback: Callable[[str], object], *, retry_s: float = 0.2) -> None:
    """Calls ``callback`` with each payload, until cancelled.

    Calls it with an empty payload after each connection, because notifications may have been missed. Reconnects after
    ``retry_s`` seconds.
    """
    while True:
        try:
            await _listen_once(dsn, channel, callback)
        except LOST as error:
            log.warning(
                "the connection that listens on %s was lost (%s); connecting again", channel, type(error).__name__
            )
        await asyncio.sleep(retry_s)


async def _listen_once(dsn: str, channel: str, callback: Callable[[str], object]) -> None:
    connection = await connect(dsn)
    disconnected = asyncio.Event()

    def received(_: Any, __: int, ___: str, payload: object) -> None:
        callback(str(payload))

    try:
        connection.add_termination_listener(lambda _: disconnected.set())
        await connection.add_listener(channel, received)
        callback("")
        await disconnected.wait()
    finally:
        with contextlib.suppress(*LOST):
            await connection.close(timeout=1)


async def connect(dsn: str) -> asyncpg.Connection[asyncpg.Record]:
    """Opens a connection that is used only to listen or to notify."""
    return await asyncpg.connect(dsn, timeout=5, server_settings={"application_name": "awda-doorbell"})


_NOTIFY = "SELECT pg_notify(channel, payload) FROM unnest($1::text[], $2::text[]) AS notification (channel, payload)"
