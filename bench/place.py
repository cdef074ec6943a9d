"""The servers of a benchmark: real PostgreSQL and Temporal of its own, fsync on, a new database."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from temporalio.client import Client

from store.crypto.keys import KeyStore, MasterKey
from store.postgres.connections import HeldConnections, open_connections
from store.postgres.database import migrate, open_pool
from workers.embedded.installation import servers
from workers.temporal_client import connect

MASTER_KEY = b"a master key for measuring of 32"

MASTER = MasterKey(MASTER_KEY)


@dataclass(frozen=True)
class ServerAddresses:
    """The addresses of the servers; can be pickled for another process."""

    dsn: str
    owner_dsn: str
    temporal_address: str
    namespace: str


@dataclass(frozen=True)
class BenchServers:
    where: ServerAddresses
    pool: asyncpg.Pool[asyncpg.Record]
    connections: HeldConnections
    keys: KeyStore
    client: Client


@asynccontextmanager
async def bench_servers() -> AsyncIterator[BenchServers]:
    """Runs servers for one benchmark and removes them afterwards."""
    home = Path(tempfile.mkdtemp(prefix="awda-bench-"))
    async with servers(home, headless=True, throw_away=True) as found:
        if found.owner_dsn is None or found.postgres is None:
            raise RuntimeError("benchmarks need servers of their own: unset AWDA_DATABASE_URL")
        await migrate(found.owner_dsn)
        await found.postgres.ensure_role_passwords()
        where = ServerAddresses(found.app_dsn, found.owner_dsn, found.temporal_address, found.temporal_namespace)
        async with connected_to(where) as place:
            yield place


@asynccontextmanager
async def connected_to(where: ServerAddresses) -> AsyncIterator[BenchServers]:
    """Yields connections of this process to running servers."""
    pool = await open_pool(where.dsn, min_size=4, max_size=40)
    client = await connect(where.temporal_address, where.namespace)
    try:
        async with open_connections(where.dsn) as connections:
            yield BenchServers(where, pool, connections, KeyStore(pool, MASTER), client)
    finally:
        await pool.close()
