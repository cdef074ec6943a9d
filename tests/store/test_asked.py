"""Handing a message over by another way than the outbox's: only as the case stood when it was looked at."""

from __future__ import annotations

from typing import TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain.words import SignalType
from store.asked import hand_over, referral_tokens, taken_to_say
from tests.store.facts import Desk, LanternLit, applied

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def left(pool: Pool, case: UUID, status: str = "pending") -> UUID:
    outbox_id = uuid4()
    put = "INSERT INTO outbox (outbox_id, stream_id, partner_id, name, body) VALUES ($1, $2, 'clinic', 'x', 'sealed')"
    await pool.execute(put, outbox_id, case)
    await pool.execute("UPDATE outbox SET status = $2 WHERE outbox_id = $1", outbox_id, status)
    return outbox_id


async def revision(pool: Pool, case: UUID) -> int:
    found: int = await pool.fetchval("SELECT revision FROM streams WHERE stream_id = $1", case)
    return found


@pytest.fixture
async def case(desk: Desk, pool: Pool) -> UUID:
    case = await desk.open_case()
    await pool.execute("UPDATE inbox SET status = 'applied' WHERE stream_id = $1", case)
    return case


async def test_a_message_is_handed_over_once(pool: Pool, case: UUID) -> None:
    outbox_id = await left(pool, case)

    assert await hand_over(pool, outbox_id, await revision(pool, case))
    assert not await hand_over(pool, outbox_id, await revision(pool, case))


@pytest.mark.parametrize("status", ["withdrawn", "dead", "delivered"])
async def test_what_is_settled_is_not_handed_over(pool: Pool, case: UUID, status: str) -> None:
    assert not await hand_over(pool, await left(pool, case, status), await revision(pool, case))


async def test_nothing_is_handed_over_once_the_case_has_moved_on(pool: Pool, desk: Desk, case: UUID) -> None:
    outbox_id, seen_at = await left(pool, case), await revision(pool, case)

    await desk.record(case, LanternLit(room="hall"))

    assert not await hand_over(pool, outbox_id, seen_at)


async def test_nothing_is_handed_over_while_something_said_is_not_recorded(pool: Pool, desk: Desk, case: UUID) -> None:
    """It may be that the person no longer wants it."""
    outbox_id, receipt = await left(pool, case), await desk.put(case)
    assert not await hand_over(pool, outbox_id, await revision(pool, case))

    await desk.record(case, LanternLit(room="hall"), settled=[applied(receipt)])
    assert await hand_over(pool, outbox_id, await revision(pool, case))


async def test_an_update_means_for_ever_what_it_meant_first(pool: Pool) -> None:
    update = uuid4()
    assert await taken_to_say(pool, update, SignalType.STARTED) is SignalType.STARTED
    assert await taken_to_say(pool, update, SignalType.PROGRESS) is SignalType.STARTED


async def test_tokens_are_a_partners_own_and_come_page_by_page(pool: Pool, case: UUID) -> None:
    for token, partner in (("a", "clinic"), ("c", "clinic"), ("b", "embassy")):
        await pool.execute("INSERT INTO referral_tokens VALUES ($1, $2, $3, $4)", token, case, str(uuid4()), partner)

    assert [each.token for each in await referral_tokens(pool, "clinic", limit=1)] == ["a"]
    assert [each.token for each in await referral_tokens(pool, "clinic", after="a")] == ["c"]
