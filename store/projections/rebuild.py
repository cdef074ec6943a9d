"""Rebuilding a projection: in a shadow table, compared row by row with the live one, which is then corrected."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from store.log.feed import Position
from store.projections.projection import LIVE, SHADOW, Projection
from store.projections.projector import Connection, Pool, Progress, Projector, named

REBUILDING = 4158  # advisory lock: one rebuild at a time


class RebuildInProgressError(RuntimeError):
    """Another rebuild is running."""


@dataclass(frozen=True)
class RebuildResult:
    """The result of a rebuild, with the number of rows that were missing, extra or different in the live table."""

    name: str
    events: int
    rows: int
    missing: int = 0
    extra: int = 0
    different: int = 0

    @property
    def equal(self) -> bool:
        """Returns whether the live table agreed with the log."""
        return not (self.missing or self.extra or self.different)


async def rebuild(pool: Pool, name: str, *, shadow: bool = True, progress: Progress = None) -> RebuildResult:
    """Rebuilds one projection from the first event. Raises ``UnknownProjectionError`` and ``RebuildInProgressError``.

    With ``shadow``, readers use the live table until the rebuild is complete; without, the live table is emptied first.
    """
    projection = named(name)
    async with _exclusive(pool):
        return await (_in_shadow if shadow else _in_place)(pool, projection, progress)


async def count_events(pool: Pool) -> int:
    """Returns the approximate number of events of a rebuild, for a progress bar."""
    return await pool.fetchval("SELECT count(*) FROM events") or 0


async def _in_place(pool: Pool, projection: Projection, progress: Progress) -> RebuildResult:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_RESET.format(schema=LIVE), projection.name)
        await connection.execute(f"DELETE FROM {projection.name}")  # noqa: S608 (our own names)
    events = await Projector(pool, [projection], LIVE).catch_up(progress=progress)
    return RebuildResult(projection.name, events, await _count(pool, projection))


async def _in_shadow(pool: Pool, projection: Projection, progress: Progress) -> RebuildResult:
    async with pool.acquire() as connection:
        await connection.execute(_RESET.format(schema=SHADOW), projection.name)
        await connection.execute(f"TRUNCATE {SHADOW}.{projection.name}")
    builder = Projector(pool, [projection], SHADOW)
    row = await pool.fetchrow(_POSITION, projection.name)
    events = await builder.catch_up(_position(row), progress)
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            _POSITION + " FOR UPDATE", projection.name
        )  # the lock stops updates of the live table until the swap
        events += await builder.catch_up(_position(row))
        return await _compare_and_swap(connection, projection, events)


async def _compare_and_swap(connection: Connection, projection: Projection, events: int) -> RebuildResult:
    """Compares the tables and corrects the rows that differ. Writes nothing if they are equal."""
    names = {
        "live": f"{LIVE}.{projection.name}",
        "shadow": f"{SHADOW}.{projection.name}",
        "key": ", ".join(projection.key),
    }
    names |= {f"key_of_{each}": ", ".join(f"{each}.{name}" for name in projection.key) for each in "ls"}
    found = await connection.fetch(_COMPARE.format(**names))
    result = RebuildResult(projection.name, events, *found[0])
    if not result.equal:
        await connection.execute(_REMOVE.format(**names))
        await connection.execute(_REPLACE.format(**names, columns=", ".join(projection.columns)))
    return result


@asynccontextmanager
async def _exclusive(pool: Pool) -> AsyncIterator[None]:
    async with pool.acquire() as connection:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", REBUILDING):
            raise RebuildInProgressError("Another rebuild is running: wait until it has finished")
        try:
            yield
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", REBUILDING)


async def _count(pool: Pool, projection: Projection) -> int:
    return await pool.fetchval(f"SELECT count(*) FROM {projection.name}") or 0  # noqa: S608 (our own names)


def _position(row: asyncpg.Record | None) -> Position:
    if row is None:
        raise RuntimeError("The position of a projection is missing: restore its row in the table `projections`")
    return Position(int(row["xact"]), row["position"])


_POSITION = "SELECT xact::text, position FROM projections WHERE name = $1"

_RESET = "UPDATE {schema}.projections SET xact = '0', position = 0 WHERE name = $1"

_COMPARE = """
SELECT count(s.*), count(*) FILTER (WHERE l.* IS NULL), count(*) FILTER (WHERE s.* IS NULL),
       count(*) FILTER (WHERE md5(l::text) <> md5(s::text))
FROM {live} l FULL JOIN {shadow} s USING ({key})
"""

_REMOVE = """
DELETE FROM {live} l WHERE NOT EXISTS (
    SELECT FROM {shadow} s WHERE ({key_of_s}) = ({key_of_l}) AND md5(s::text) = md5(l::text))
"""

_REPLACE = """
INSERT INTO {live} ({columns}) SELECT {columns} FROM {shadow} s
WHERE NOT EXISTS (SELECT FROM {live} l WHERE ({key_of_l}) = ({key_of_s}))
"""
