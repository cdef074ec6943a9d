"""Wakes readers after a commit. A bell that is lost only delays: every reader also looks by itself now and then.

Never rung inside the writing transaction, where it would make all writers of the cluster wait for one another.
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
    """Rings gathered for 20 ms and sent together, over a connection of its own."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._rung: set[tuple[str, str]] = set()
        self._ringing: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    def notify(self, channel: str, payload: object = "") -> None:
        """Tell the listeners of a channel, soon. Returns at once and never fails."""
        self._rung.add((channel, str(payload)))
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._send_soon())

    async def close(self) -> None:
        """Send what has been rung, and hang up."""
        if self._ringing is not None:
            await self._ringing
        if self._connection is not None:
            await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _send_soon(self) -> None:
        while self._rung:
            await asyncio.sleep(PAUSE_S)
            rung, self._rung = self._rung, set()
            await self._send(rung)

    async def _send(self, rung: Iterable[tuple[str, str]]) -> None:
        channels, payloads = zip(*rung, strict=True)
        try:
            connection = await self._connected()
            await connection.execute(_NOTIFY, channels, payloads, timeout=5)
        except LOST as error:
            self._hang_up()
            log.warning("a bell was lost (%s); readers will find the rows by themselves", type(error).__name__)

    async def _connected(self) -> asyncpg.Connection[asyncpg.Record]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._dsn)
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None


async def listen(dsn: str, channel: str, callback: Callable[[str], object], *, retry_s: float = 0.2) -> None:
    """Call back with each payload, until cancelled.

    After every (re)connection it calls back with an empty payload: something may have been missed.
    """
    while True:
        try:
            await _listen_once(dsn, channel, callback)
        except LOST as error:
            log.warning("listening on %s was cut (%s); connecting again", channel, type(error).__name__)
        await asyncio.sleep(retry_s)


async def _listen_once(dsn: str, channel: str, callback: Callable[[str], object]) -> None:
    connection = await connect(dsn)
    cut = asyncio.Event()

    def heard(_: Any, __: int, ___: str, payload: object) -> None:
        callback(str(payload))

    try:
        connection.add_termination_listener(lambda _: cut.set())
        await connection.add_listener(channel, heard)
        callback("")
        await cut.wait()
    finally:
        with contextlib.suppress(*LOST):
            await connection.close(timeout=1)


async def connect(dsn: str) -> asyncpg.Connection[asyncpg.Record]:
    """A connection that listens or rings and does nothing else."""
    return await asyncpg.connect(dsn, timeout=5, server_settings={"application_name": "awda-doorbell"})


_NOTIFY = "SELECT pg_notify(channel, payload) FROM unnest($1::text[], $2::text[]) AS rung (channel, payload)"
