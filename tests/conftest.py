"""Real servers for every test: one PostgreSQL and one Temporal for a whole run, a fresh database for each test."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from workers.embedded import Servers
from workers.embedded import servers as real_servers
from workers.postgres import APP, OWNER, Postgres

TEMPLATE = "awda_template"
FAST_TIMERS = (
    "--dynamic-config-value",
    "frontend.WorkflowTimeSkippingEnabled=true",
    "--dynamic-config-value",
    'history.timerProcessorMaxTimeShift="1ms"',
)


@dataclass(frozen=True, slots=True)
class Database:
    """One migrated database, empty, for one test."""

    name: str
    owner_dsn: str
    app_dsn: str


@pytest.fixture(scope="session")
async def servers() -> AsyncIterator[Servers]:
    """Under pytest-xdist each worker has servers of its own."""
    home = Path(tempfile.mkdtemp(prefix="awda-tests-"))
    async with real_servers(home, headless=True, temporal_extra=FAST_TIMERS, throw_away=True) as found:
        yield found


@pytest.fixture(scope="session")
async def template(servers: Servers) -> Postgres:
    """The server, with one migrated database to copy."""
    from store.database import migrate

    assert servers.postgres
    await as_owner(servers.postgres, f"CREATE DATABASE {TEMPLATE}")
    await migrate(servers.postgres.dsn(OWNER, TEMPLATE))
    await servers.postgres.ensure_role_passwords()
    return servers.postgres


@pytest.fixture
async def database(template: Postgres) -> AsyncIterator[Database]:
    name = f"t_{uuid.uuid4().hex[:12]}"
    await as_owner(template, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield Database(name, template.dsn(OWNER, name), template.dsn(APP, name))
    await as_owner(template, f"DROP DATABASE {name} WITH (FORCE)")


async def as_owner(postgres: Postgres, statement: str) -> None:
    connection = await asyncpg.connect(postgres.dsn(OWNER, "postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
