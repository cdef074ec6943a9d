"""Building a read table anew: beside the living one, compared with it row by row, and only then put in its place."""

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
    """Another rebuild is under way."""


@dataclass(frozen=True)
class RebuildResult:
    """What a rebuild found. ``missing`` rows the living table lacked, ``extra`` it should not have had."""

    name: str
    events: int
    rows: int
    missing: int = 0
    extra: int = 0
    different: int = 0

    @property
    def equal(self) -> bool:
        """Whether the living table was what the log says."""
        return not (self.missing or self.extra or self.different)


async def rebuild(pool: Pool, name: str, *, shadow: bool = True, progress: Progress = None) -> RebuildResult:
    """Build one read table anew from the first event on. Raises ``NoSuchView`` and ``RebuildInProgressError``.

    With ``shadow`` the living table serves readers until the new one is ready; without, it is emptied first.
    """
    view = named(name)
    async with _alone(pool):
        return await (_beside if shadow else _in_place)(pool, view, progress)


async def count_events(pool: Pool) -> int:
    """About how many events a rebuild carries over: for a progress bar."""
    return await pool.fetchval("SELECT count(*) FROM events") or 0


async def _in_place(pool: Pool, view: Projection, progress: Progress) -> RebuildResult:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_RESET.format(schema=LIVE), view.name)
        await connection.execute(f"DELETE FROM {view.name}")  # noqa: S608 (our own names)
    events = await Projector(pool, [view], LIVE).catch_up(progress=progress)
    return RebuildResult(view.name, events, await _count(pool, view))


async def _beside(pool: Pool, view: Projection, progress: Progress) -> RebuildResult:
    async with pool.acquire() as connection:
        await connection.execute(_RESET.format(schema=SHADOW), view.name)
        await connection.execute(f"TRUNCATE {SHADOW}.{view.name}")
    builder = Projector(pool, [view], SHADOW)
    row = await pool.fetchrow(_STANDS, view.name)
    events = await builder.catch_up(_position(row), progress)
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(_STANDS + " FOR UPDATE", view.name)  # the living one stands still from here on
        events += await builder.catch_up(_position(row))
        return await _compare_and_swap(connection, view, events)


async def _compare_and_swap(connection: Connection, view: Projection, events: int) -> RebuildResult:
    """Put right what differs; where nothing differs, nothing is touched."""
    names = {"live": f"{LIVE}.{view.name}", "shadow": f"{SHADOW}.{view.name}", "key": ", ".join(view.key)}
    names |= {f"key_of_{each}": ", ".join(f"{each}.{name}" for name in view.key) for each in "ls"}
    found = await connection.fetch(_COMPARE.format(**names))
    result = RebuildResult(view.name, events, *found[0])
    if not result.equal:
        await connection.execute(_REMOVE.format(**names))
        await connection.execute(_REPLACE.format(**names, columns=", ".join(view.columns)))
    return result


@asynccontextmanager
async def _alone(pool: Pool) -> AsyncIterator[None]:
    async with pool.acquire() as connection:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", REBUILDING):
            raise RebuildInProgressError("another rebuild is under way: wait until it has ended")
        try:
            yield
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", REBUILDING)


async def _count(pool: Pool, view: Projection) -> int:
    return await pool.fetchval(f"SELECT count(*) FROM {view.name}") or 0  # noqa: S608 (our own names)


def _position(row: asyncpg.Record | None) -> Position:
    if row is None:
        raise RuntimeError("a read table has lost its place in the feed: put its row in `projections` back")
    return Position(int(row["xact"]), row["position"])


_STANDS = "SELECT xact::text, position FROM projections WHERE name = $1"

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
