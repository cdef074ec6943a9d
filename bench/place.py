"""Where everything is measured: real servers of its own, fsync on, a fresh database."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from temporalio.client import Client

from store.database import migrate, open_pool
from store.keys import KeyStore, MasterKey
from store.lines import Lines, open_lines
from workers.client import connect
from workers.embedded import servers

MASTER_KEY = b"a master key for measuring of 32"
MASTER = MasterKey(MASTER_KEY)


@dataclass(frozen=True)
class Place:
    dsn: str
    owner_dsn: str
    temporal_address: str
    pool: asyncpg.Pool[asyncpg.Record]
    lines: Lines
    keys: KeyStore
    client: Client


@asynccontextmanager
async def a_place() -> AsyncIterator[Place]:
    """Servers that nobody else uses, gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="awda-bench-"))
    async with servers(home, headless=True, throw_away=True) as found:
        if found.owner_dsn is None or found.postgres is None:
            raise RuntimeError("measuring needs servers of its own; unset AWDA_DATABASE_URL")
        await migrate(found.owner_dsn)
        await found.postgres.ensure_role_passwords()
        pool = await open_pool(found.app_dsn, min_size=4, max_size=40)
        client = await connect(found.temporal_address, found.temporal_namespace)
        try:
            async with open_lines(found.app_dsn, 40) as lines:
                keys = KeyStore(pool, MASTER)
                yield Place(found.app_dsn, found.owner_dsn, found.temporal_address, pool, lines, keys, client)
        finally:
            await pool.close()
