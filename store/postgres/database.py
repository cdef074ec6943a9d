"""How the programme reaches PostgreSQL, and how a database gets its tables."""

from __future__ import annotations

import logging
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import asyncpg

log = logging.getLogger("awda.store")

SCHEMA = Path(__file__).parent.parent / "migrations"

MIGRATING = 4157  # advisory lock, so that two migrations of one database take turns

UNANSWERED: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that broke in the middle of a statement
    asyncpg.OperatorInterventionError,
    OSError,
    TimeoutError,
)
"""The database did not answer: whether what was asked of it was done stays open."""

SETTINGS: Final = {"application_name": "awda", "jit": "off", "max_parallel_workers_per_gather": "0"}


class SchemaDriftError(RuntimeError):
    """A migration that was applied long ago no longer reads as it did then."""


async def open_pool(dsn: str, **options: Any) -> asyncpg.Pool[asyncpg.Record]:
    """A pool whose connections keep no state between uses, so handing one back costs no round trip."""
    settings = {**SETTINGS, **options.pop("server_settings", {})}
    wanted: dict[str, Any] = {"min_size": 1, "max_size": 10, "command_timeout": 20, **options}
    return await asyncpg.create_pool(dsn, reset=_nothing_to_reset, server_settings=settings, **wanted)


async def _nothing_to_reset(_: asyncpg.Connection[asyncpg.Record]) -> None:
    """Sessions here set nothing, listen to nothing and leave no transaction open."""


async def migrate(owner_dsn: str) -> list[str]:
    """Apply, in order, the migrations this database has not seen. Returns their names. Raises ``SchemaDriftError``."""
    scripts = _scripts()
    connection = await asyncpg.connect(owner_dsn, server_settings=SETTINGS)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", MIGRATING)
        known = await _applied(connection)
        return [name for name, script in scripts.items() if await _apply(connection, name, script, known.get(name))]
    finally:
        await connection.close()


def _scripts() -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(SCHEMA.glob("*.sql"))}


async def _applied(connection: asyncpg.Connection[asyncpg.Record]) -> dict[str, str]:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations"
        " (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
    )
    found = await connection.fetch("SELECT name, checksum FROM schema_migrations")
    return {row["name"]: row["checksum"] for row in found}


async def _apply(connection: asyncpg.Connection[asyncpg.Record], name: str, script: str, known: str | None) -> bool:
    checksum = sha256(script.encode()).hexdigest()
    if known == checksum:
        return False
    if known is not None:
        msg = f"{name} was changed after it had been applied: put it back and write a new migration instead"
        raise SchemaDriftError(msg)
    async with connection.transaction():
        await connection.execute(script)
        await connection.execute("INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)", name, checksum)
    log.info("migrated %s", name)
    return True
