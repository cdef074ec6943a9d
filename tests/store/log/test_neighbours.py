"""The outbox, the programme clock and the notifier."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest

from store.messages.outbox import Outbox, open_delivery, outgoing
from store.postgres import clock
from store.postgres.notifier import INBOX, Notifier, listen
from tests.support.event_fixtures import LogWriter

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


async def sent(desk: LogWriter, count: int = 1) -> list[UUID]:
    """Records this number of messages to a partner, one by one."""
    case = await desk.open_case()
    ring, ids = await desk.ring(case), [uuid4() for _ in range(count)]
    for outbox_id in ids:
        await desk.record(case, outbox=[outgoing(ring, outbox_id, "clinic", "referral.sent", b"please")])
    return ids


async def test_a_delivery_can_be_opened_and_is_settled_once(desk: LogWriter, pool: Pool) -> None:
    outbox, (one,) = Outbox(pool), await sent(desk)
    delivery = await outbox.get(one)
    assert delivery is not None
    assert open_delivery(await desk.ring(delivery.stream_id), delivery) == b"please"

    assert await outbox.failed(one, "503") == 1
    assert await outbox.failed(one, "timed out") == 2
    assert await outbox.delivered(one)
    assert not await outbox.dead(one, "too late")
    assert not await outbox.withdraw(one)

    settled = await outbox.get(one)
    assert settled is not None
    assert (settled.status, settled.attempts, await outbox.pending()) == ("delivered", 3, [])


async def test_no_two_relays_claim_the_same_delivery_and_a_lost_claim_runs_out(desk: LogWriter, pool: Pool) -> None:
    outbox, ids = Outbox(pool), await sent(desk, 10)

    claims = await asyncio.gather(*(outbox.claim(4) for _ in range(4)))

    claimed = [outbox_id for claim in claims for outbox_id in claim] + await outbox.claim()
    assert sorted(claimed) == sorted(ids)
    assert await outbox.claim() == []
    assert sorted(await outbox.claim(again_after=timedelta(0))) == sorted(ids)


async def test_the_real_clock_cannot_be_moved(pool: Pool) -> None:
    assert not await clock.is_stopped(pool)
    assert abs(await clock.now(pool) - datetime.now(UTC)) < timedelta(seconds=30)

    with pytest.raises(clock.RealClockError):
        await clock.move(pool, NEW_YEAR)


async def test_a_demo_clock_stands_until_it_is_moved_on_and_stamps_what_is_recorded(
    desk: LogWriter, pool: Pool, owner: Pool
) -> None:
    await clock.stop(owner, NEW_YEAR)
    case = await desk.open_case()
    assert await clock.now(pool) == NEW_YEAR
    assert await clock.move(pool, NEW_YEAR + timedelta(days=8)) == NEW_YEAR + timedelta(days=8)

    written = await desk.record(case)

    loaded = await desk.recorder.load(case)
    assert loaded.head is not None
    assert (loaded.head.number, loaded.head.opened_at) == ("LBY-2027-000001", NEW_YEAR)
    assert written.recorded_at == loaded.now == NEW_YEAR + timedelta(days=8)


async def test_a_demo_clock_never_goes_back(pool: Pool, owner: Pool) -> None:
    await clock.stop(owner, NEW_YEAR)

    with pytest.raises(clock.ClockBackwardsError):
        await clock.move(pool, NEW_YEAR - timedelta(seconds=1))


async def test_rings_are_gathered_and_heard(database: Any) -> None:
    heard: list[str] = []
    listening = asyncio.create_task(listen(database.app_dsn, INBOX, heard.append))
    await until(lambda: heard == [""])
    async with Notifier(database.app_dsn) as bell:
        for payload in ("a", "b", "a", "a"):
            bell.notify(INBOX, payload)
    await until(lambda: len(heard) == 3)
    listening.cancel()

    assert sorted(heard) == ["", "a", "b"]


async def test_a_listener_that_was_cut_off_connects_again_and_looks(database: Any, owner: Pool) -> None:
    heard: list[str] = []
    listening = asyncio.create_task(listen(database.app_dsn, INBOX, heard.append, retry_s=0.01))
    await until(lambda: heard == [""])

    await cut_doorbells(owner)
    await until(lambda: len(heard) == 2)
    listening.cancel()

    assert heard == ["", ""], "once when it began, once when it had been cut off"


async def test_a_bell_that_was_cut_off_rings_again_next_time(database: Any, owner: Pool) -> None:
    heard: list[str] = []
    async with Notifier(database.app_dsn) as bell:
        bell.notify(INBOX, "first")
        await asyncio.sleep(0.1)
        await cut_doorbells(owner)
        listening = asyncio.create_task(listen(database.app_dsn, INBOX, heard.append))
        await until(lambda: heard == [""])
        async with asyncio.timeout(30):
            while "again" not in heard:
                bell.notify(INBOX, "again")
                await asyncio.sleep(0.05)
    listening.cancel()

    assert set(heard) == {"", "again"}


async def cut_doorbells(owner: Pool) -> None:
    await owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'awda-doorbell' AND datname = current_database()"
    )


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)
