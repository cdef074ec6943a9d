"""The dependencies of a command: database, keys, and the intake service. Works while the gateway's process is down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import asyncpg

from cli.home import database_dsn, settings_and_home, temporal_address
from cli.output import CommandError, ExitCode
from gateway.intake.service import Intake
from store.crypto.keys import KeyStore, MasterKey
from store.log.streams import by_number
from store.postgres.database import open_pool
from store.postgres.notifier import Notifier
from workers.settings import Home, Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The services that a command uses. ``temporal_address`` is ``None`` when no Temporal server is known."""

    settings: Settings
    home: Home
    dsn: str = field(repr=False)
    temporal_address: str | None
    pool: asyncpg.Pool[asyncpg.Record]
    keys: KeyStore
    intake: Intake

    async def stream(self, number: str) -> UUID:
        """Returns the id of the stream of a case or movement, by its number. Raises ``CommandError`` (not found)."""
        head = await by_number(self.pool, number.strip().upper())
        if head is None:
            kind = "movement" if number.upper().startswith("MOV-") else "case"
            raise CommandError(ExitCode.NOT_FOUND, f"There is no {kind} {number!r}.", f"awda {kind} list")
        return head.stream_id


@asynccontextmanager
async def open_context() -> AsyncIterator[CommandContext]:
    """Opens the database and services of the current home, and closes them afterwards."""
    settings, home = settings_and_home()
    dsn = database_dsn(settings, home)
    master = MasterKey(home.make().master_key(settings))
    pool = await open_pool(dsn)
    try:
        keys = KeyStore(pool, master)
        async with Notifier(dsn) as notifier:
            intake = Intake(pool, keys, notifier)
            yield CommandContext(settings, home, dsn, temporal_address(settings, home), pool, keys, intake)
    finally:
        await pool.close()


def run_with_context(work: Callable[[CommandContext], Awaitable[T]]) -> T:
    """Runs a coroutine function with the services of the current home, and returns its result."""

    async def working() -> T:
        async with open_context() as context:
            return await work(context)

    return asyncio.run(working())
