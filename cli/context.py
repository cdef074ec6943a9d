"""The home a command works in: its database, its keys, its desk. Works with the gateway's process down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import asyncpg

from cli.home import dsn_of, here, temporal_of
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
    """What a command may use."""

    settings: Settings
    home: Home
    dsn: str = field(repr=False)
    temporal_address: str | None
    pool: asyncpg.Pool[asyncpg.Record]
    keys: KeyStore
    intake: Intake

    async def stream(self, number: str) -> UUID:
        """The stream of a case or movement, by its number."""
        head = await by_number(self.pool, number.strip().upper())
        if head is None:
            kind = "movement" if number.upper().startswith("MOV-") else "case"
            raise CommandError(ExitCode.NOT_FOUND, f"There is no {kind} {number!r}.", f"awda {kind} list")
        return head.stream_id


@asynccontextmanager
async def open_context() -> AsyncIterator[CommandContext]:
    settings, home = here()
    dsn = dsn_of(settings, home)
    master = MasterKey(home.make().master_key(settings))
    pool = await open_pool(dsn)
    try:
        keys = KeyStore(pool, master)
        async with Notifier(dsn) as notifier:
            intake = Intake(pool, keys, notifier)
            yield CommandContext(settings, home, dsn, temporal_of(settings, home), pool, keys, intake)
    finally:
        await pool.close()


def run_with_context(work: Callable[[CommandContext], Awaitable[T]]) -> T:
    """Do something in the home, and close it."""

    async def working() -> T:
        async with open_context() as context:
            return await work(context)

    return asyncio.run(working())
