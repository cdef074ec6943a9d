"""The feed: in whatever order writers commit, a reader that continues from its position misses no event."""

from __future__ import annotations

import asyncio
import random
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg

from store.log import feed
from store.postgres.database import open_pool
from tests.support.event_fixtures import LanternLit, LogWriter

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

WRITERS, WRITES = 16, 40


async def test_a_reader_misses_nothing_of_writers_that_dawdle_before_they_commit(database: Any, pool: Pool) -> None:
    """Also shows that a reader by sequence number alone misses events of the same writers."""
    done = asyncio.Event()
    async with await open_pool(database.app_dsn, min_size=WRITERS, max_size=WRITERS) as writers:
        proper = asyncio.create_task(read_by_feed(pool, done))
        naive = asyncio.create_task(read_by_position(pool, done))
        written = await asyncio.gather(*(dawdle(writers, random.Random(seed)) for seed in range(WRITERS)))
        done.set()
        seen, seen_naively = await proper, await naive

    wanted = {event_id for ids in written for event_id in ids}
    assert len(seen) == len(set(seen)), "an event was read twice"
    assert set(seen) == wanted
    assert wanted - set(seen_naively), "commits were in order, so the test proves nothing"


async def dawdle(pool: Pool, dice: random.Random) -> list[UUID]:
    """Writes to a new stream, waiting up to 30 ms before each commit."""
    stream, written = uuid4(), []
    for version in range(1, WRITES + 1):
        event_id = uuid4()
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(_INSERT, stream, version, event_id)
            await asyncio.sleep(dice.random() * 0.03)
        written.append(event_id)
    return written


async def read_by_feed(pool: Pool, done: asyncio.Event) -> list[UUID]:
    seen, position = [], feed.START
    while True:
        last_look = done.is_set()
        rows = await feed.read(pool, position, 50)
        seen += [row.event_id for row in rows]
        position = rows[-1].at if rows else position
        if last_look and not rows:
            return seen


async def read_by_position(pool: Pool, done: asyncio.Event) -> list[UUID]:
    seen: list[UUID] = []
    position = 0
    while True:
        last_look = done.is_set()
        rows = await pool.fetch(
            "SELECT position, event_id FROM events WHERE position > $1 ORDER BY 1 LIMIT 50", position
        )
        seen += [row["event_id"] for row in rows]
        position = rows[-1]["position"] if rows else position
        if last_look and not rows:
            return seen


async def test_the_feed_stops_before_a_transaction_under_way_and_goes_on_after_it(
    desk: LogWriter, pool: Pool, owner: Pool
) -> None:
    case = await desk.open_case()
    await desk.record(case, LanternLit(room="hall"))
    async with owner.acquire() as slow:
        async with slow.transaction():
            await slow.execute(_INSERT, uuid4(), 1, uuid4())
            await desk.record(case, LanternLit(room="attic"))
            held_back = await feed.read(pool)
        caught_up = await feed.read(pool)

    assert [(row.stream_id == case, row.version) for row in held_back] == [(True, 1)]
    assert [(row.stream_id == case, row.version) for row in caught_up] == [(True, 1), (False, 1), (True, 2)]


async def test_one_can_ask_where_an_event_stands_and_how_far_the_feed_goes(desk: LogWriter, pool: Pool) -> None:
    assert await feed.end(pool) == feed.START
    case = await desk.open_case()
    await desk.record(case, LanternLit(room="hall"), LanternLit(room="attic"))

    assert await feed.place(pool, case, 2) == await feed.end(pool)
    assert await feed.place(pool, case, 3) is None
    first, second = await feed.read(pool)
    assert await feed.read(pool, first.at) == [second]


_INSERT = r"""
INSERT INTO events (stream_id, version, topic, state, event_id, metadata, hash)
VALUES ($1, $2, 'test.lantern-lit', '\x7b7d', $3, '{}', decode(repeat('00', 32), 'hex'))
"""


async def test_pages_follow_transactions_by_number_and_not_by_their_digits(owner: Pool, pool: Pool) -> None:
    """Transaction 9 comes before transaction 10, although "10" sorts before "9" as text."""
    stream = uuid4()
    for version, xact in ((1, "9"), (2, "10"), (3, "11")):
        await owner.execute(_INSERT_IN, stream, version, uuid4(), xact)

    pages, position = [], feed.START
    while rows := await feed.read(pool, position, 1):
        pages.append(rows[0].version)
        position = rows[0].at

    assert pages == [1, 2, 3]
    assert (await feed.end(pool)).xact == 11


_INSERT_IN = """
INSERT INTO events (stream_id, version, topic, state, event_id, metadata, hash, xact)
VALUES ($1, $2, 'LanternLit', '{}', $3, '{}', sha256('x'), $4::text::xid8)
"""
