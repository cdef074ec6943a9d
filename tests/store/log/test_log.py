"""The log is immutable: no role may change it, and a change by a superuser is detected."""

from __future__ import annotations

from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest

from store.log.hash_chain import breaks
from store.log.recorder import Recorder
from store.postgres.database import SchemaDriftError, migrate
from tests.support.event_fixtures import LanternLit, LogWriter

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

CHANGES = [
    "UPDATE events SET topic = 'test.nothing'",
    "DELETE FROM events",
    "TRUNCATE events",
]


@pytest.fixture
async def case(desk: LogWriter) -> UUID:
    opened = await desk.open_case()
    await desk.record(opened, *(LanternLit(room=str(n)) for n in range(4)))
    return opened


@pytest.mark.parametrize("change", CHANGES)
async def test_the_worker_has_no_right_to_change_the_log(case: UUID, pool: Pool, change: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(change)


@pytest.mark.parametrize("change", CHANGES)
async def test_the_owner_is_stopped_by_a_trigger(case: UUID, owner: Pool, change: str) -> None:
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await owner.execute(change)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE inbox SET body = ''",
        "DELETE FROM inbox",
        "UPDATE streams SET number = 'X'",
        "DELETE FROM streams",
        "DELETE FROM case_keys",
        "UPDATE case_keys SET key_id = gen_random_uuid()",
        "INSERT INTO programme_clock (stands_at) VALUES (now())",
        "INSERT INTO events (xact) VALUES ('1')",
        "INSERT INTO events (position) VALUES (1)",
    ],
)
async def test_the_worker_has_only_the_rights_it_needs(case: UUID, pool: Pool, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(statement)


async def test_the_auditor_reads_events_as_text_but_no_keys(case: UUID, owner: Pool) -> None:
    async with owner.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL ROLE awda_reader")
        rows = await connection.fetch("SELECT state->>'room' AS room FROM readable_events ORDER BY version")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.fetch("SELECT * FROM case_keys")

    assert [row["room"] for row in rows] == ["0", "1", "2", "3"]


async def test_the_workers_patience_is_set_on_its_role(pool: Pool) -> None:
    names = ("transaction_timeout", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")

    assert [await pool.fetchval(f"SHOW {name}") for name in names] == ["30s", "15s", "5s", "5s"]


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        ("UPDATE events SET state = replace(convert_from(state, 'UTF8'), '1', '9')::bytea WHERE version = 2", 2),
        ("UPDATE events SET metadata = replace(metadata, 'amal', 'badr') WHERE version = 3", 3),
        ("UPDATE events SET topic = 'test.wall-painted' WHERE version = 4", 4),
        ("UPDATE events SET event_id = gen_random_uuid() WHERE version = 1", 1),
        (
            "UPDATE events SET version = CASE version WHEN 2 THEN 12 WHEN 3 THEN 2 ELSE version END WHERE version IN (2, 3)",
            2,
        ),
        ("DELETE FROM events WHERE version = 2", 2),
        ("DELETE FROM events WHERE version = 4", 4),
    ],
    ids=["state", "metadata", "topic", "event_id", "order", "taken out", "cut off"],
)
async def test_a_superusers_edit_is_found_and_named(
    case: UUID, owner: Pool, recorder: Recorder, edit: str, found: int
) -> None:
    intact = await recorder.load(case)
    assert list(breaks(intact.rows, head=intact.head)) == []

    async with owner.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(edit)

    edited = await recorder.load(case)
    assert next(breaks(edited.rows, head=edited.head)).version == found


async def test_migrating_again_changes_nothing(database: Any) -> None:
    assert await migrate(database.owner_dsn) == []


async def test_a_migration_that_was_changed_afterwards_is_refused(database: Any, owner: Pool) -> None:
    await owner.execute("UPDATE schema_migrations SET checksum = 'another' WHERE name = '0003_log.sql'")

    with pytest.raises(SchemaDriftError, match=r"0003_log\.sql"):
        await migrate(database.owner_dsn)
