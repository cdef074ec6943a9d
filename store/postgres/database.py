"""Connection pools and migrations."""

from __future__ import annotations

import logging
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import asyncpg

log = logging.getLogger("awda.store")

SCHEMA = Path(__file__).parent.parent / "migrations"

MIGRATING = 4157  # advisory lock: only one migration of a database runs at a time

UNANSWERED: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection broke during a statement
    asyncpg.OperatorInterventionError,
    OSError,
    TimeoutError,
)
"""Errors without an answer of the database: it is unknown whether the statement took effect."""

SETTINGS: Final = {"application_name": "awda", "jit": "off", "max_parallel_workers_per_gather": "0"}


class SchemaDriftError(RuntimeError):
    """The file of a migration was changed after it had been applied."""


async def open_pool(dsn: str, **options: Any) -> asyncpg.Pool[asyncpg.Record]:
    """Opens a pool whose connections keep no state between uses, so that releasing one costs no round trip."""
    settings = {**SETTINGS, **options.pop("server_settings", {})}
    arguments: dict[str, Any] = {"min_size": 1, "max_size": 10, "command_timeout": 20, **options}
    return await asyncpg.create_pool(dsn, reset=_nothing_to_reset, server_settings=settings, **arguments)


async def _nothing_to_reset(_: asyncpg.Connection[asyncpg.Record]) -> None:
    """Does nothing: sessions of these pools set no variables, listen to no channel and leave no transaction open."""


async def migrate(owner_dsn: str) -> list[str]:
    """Applies missing migrations in order, and returns their names. Raises ``SchemaDriftError``."""
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
        msg = f"Migration {name} was changed after it had been applied: restore the file and write a new migration"
        raise SchemaDriftError(msg)
    async with connection.transaction():
        await connection.execute(script)
        await connection.execute("INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)", name, checksum)
    log.info("migrated %s", name)
    return True
