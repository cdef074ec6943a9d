"""Handing over a message outside the outbox is possible only at the revision of the case that was read."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain.kernel.vocabulary import SignalType
from store.messages.referral_tokens import hand_over, interpreted, referral_tokens
from tests.support.event_fixtures import LanternLit, LogWriter, applied

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
async def case(desk: LogWriter, pool: Pool) -> UUID:
    case = await desk.open_case()
    await pool.execute("UPDATE inbox SET status = 'applied' WHERE stream_id = $1", case)
    return case


async def test_a_message_is_handed_over_once(pool: Pool, case: UUID) -> None:
    outbox_id = await left(pool, case)

    assert await hand_over(pool, [outbox_id], await revision(pool, case))
    assert not await hand_over(pool, [outbox_id], await revision(pool, case))


@pytest.mark.parametrize("status", ["withdrawn", "dead", "delivered"])
async def test_what_is_settled_is_not_handed_over(pool: Pool, case: UUID, status: str) -> None:
    assert not await hand_over(pool, [await left(pool, case, status)], await revision(pool, case))


async def test_nothing_is_handed_over_once_the_case_has_moved_on(pool: Pool, desk: LogWriter, case: UUID) -> None:
    outbox_id, seen_at = await left(pool, case), await revision(pool, case)

    await desk.record(case, LanternLit(room="hall"))

    assert not await hand_over(pool, [outbox_id], seen_at)


async def test_nothing_is_handed_over_while_something_said_is_not_recorded(
    pool: Pool, desk: LogWriter, case: UUID
) -> None:
    """The pending message may be a withdrawal."""
    outbox_id, receipt = await left(pool, case), await desk.put(case)
    assert not await hand_over(pool, [outbox_id], await revision(pool, case))

    await desk.record(case, LanternLit(room="hall"), settled=[applied(receipt)])
    assert await hand_over(pool, [outbox_id], await revision(pool, case))


async def test_an_update_means_for_ever_what_it_meant_first(pool: Pool) -> None:
    update = uuid4()
    assert await interpreted(pool, update, SignalType.STARTED) is SignalType.STARTED
    assert await interpreted(pool, update, SignalType.PROGRESS) is SignalType.STARTED


LONG_AGO, NOW = "2026-11-01T08:00:00+00:00", "2026-11-23T08:00:00+00:00"

SINCE = datetime.fromisoformat("2026-11-20T08:00:00+00:00")


async def asked(
    owner: Pool, case: UUID, token: str, *, status: str = "delivered", at: str = NOW, partner: str = "clinic"
) -> None:
    """Inserts a referral whose message has this status and time of settlement."""
    referral, outbox_id = str(uuid4()), uuid4()
    put = (
        "INSERT INTO outbox (outbox_id, stream_id, partner_id, referral_id, name, body) VALUES ($1, $2, $3, $4, $5, $6)"
    )
    await owner.execute("INSERT INTO referral_tokens VALUES ($1, $2, $3, $4)", token, case, referral, partner)
    await owner.execute(put, outbox_id, case, partner, referral, "referral.sent", b"sealed")
    settled = datetime.fromisoformat(at) if status not in ("pending", "by_hand") else None
    await owner.execute(
        "UPDATE outbox SET status = $2, settled_at = $3 WHERE outbox_id = $1", outbox_id, status, settled
    )


async def tokens(pool: Pool, **asked: Any) -> list[str]:
    return [each.token for each in await referral_tokens(pool, "clinic", **asked)]


async def test_tokens_are_a_partners_own_and_come_page_by_page(pool: Pool, owner: Pool, case: UUID) -> None:
    for token, partner in (("a", "clinic"), ("c", "clinic"), ("b", "embassy")):
        await asked(owner, case, token, partner=partner)

    assert await tokens(pool, limit=1) == ["a"]
    assert await tokens(pool, after="a") == ["c"]


@pytest.mark.parametrize("status", ["pending", "by_hand", "withdrawn", "dead"])
async def test_a_token_that_its_partner_was_not_given_is_not_there(
    pool: Pool, owner: Pool, case: UUID, status: str
) -> None:
    await asked(owner, case, "a", status=status)

    assert await tokens(pool) == await tokens(pool, since=SINCE) == []
    waits = ["a"] if status in ("pending", "by_hand") else []
    assert await tokens(pool, waiting=True) == await tokens(pool, waiting=True, since=SINCE) == waits


async def test_only_what_the_partner_said_or_was_told_since_makes_something_new(
    pool: Pool, owner: Pool, desk: LogWriter, case: UUID
) -> None:
    await asked(owner, case, "a", at=LONG_AGO)
    await asked(owner, case, "b", partner="embassy")
    assert await tokens(pool, since=SINCE) == []

    await desk.record(case, LanternLit(room="hall"))
    put = """INSERT INTO inbox (message_id, stream_id, kind, name, body, body_hash, actor, source, status, settled_at, receipt)
             VALUES ($1, $2, $3, 'x', '', '', $4, $4, 'applied', $5, 'r')"""
    for kind, source in (("staff", "staff:fatima"), ("signal", "partner:embassy"), ("letter", "awda")):
        await owner.execute(put, uuid4(), case, kind, source, datetime.fromisoformat(NOW))
    assert await tokens(pool, since=SINCE) == [], "whatever else happened in its case"

    await owner.execute(put, uuid4(), case, "signal", "partner:clinic", datetime.fromisoformat(NOW))
    assert await tokens(pool, since=SINCE) == ["a"]
