"""The outbox in the database: the order of messages, which may be sent, and which a recording withdraws."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest

from store.log.recorder import Recorder
from store.messages.inbox import Inbox, IncomingMessage
from store.messages.outbox import Outbox, outgoing
from tests.support.event_fixtures import LogWriter, applied, message

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

CLINIC = "clinic"

REFERRAL = str(UUID(int=7))

AT_ONCE = timedelta(0)


async def told(
    desk: LogWriter, case: UUID, *names: str, partner: str = CLINIC, referral: str | None = REFERRAL
) -> list[UUID]:
    """Records messages of one referral together."""
    ring, ids = await desk.ring(case), [uuid4() for _ in names]
    rows = [
        outgoing(ring, outbox_id, partner, name, b"please", referral_id=referral)
        for outbox_id, name in zip(ids, names, strict=True)
    ]
    await desk.record(case, outbox=rows)
    return ids


async def a_case(desk: LogWriter) -> UUID:
    """Opens a case without pending messages."""
    receipt = await desk.inbox.start_case(message(None, b"open"))
    assert receipt.stream_id is not None
    await desk.record(receipt.stream_id, settled=[applied(receipt)])
    return receipt.stream_id


async def revision(pool: Pool, case: UUID) -> int:
    head = (await Recorder(pool).load(case)).head
    assert head is not None
    return head.revision


async def status(outbox: Outbox, outbox_id: UUID) -> str:
    found = await outbox.get(outbox_id)
    assert found is not None
    return found.status


async def test_messages_of_one_referral_take_turns_and_others_do_not(desk: LogWriter, pool: Pool) -> None:
    case, outbox = await a_case(desk), Outbox(pool)
    first, second = await told(desk, case, "referral.sent", "referral.reminder")
    (elsewhere,) = await told(desk, case, "referral.sent", partner="embassy")
    (another,) = await told(desk, case, "referral.sent", referral=str(UUID(int=8)))
    loose = await told(desk, case, "test", "test", referral=None)

    assert set(await outbox.claim()) == {first, elsewhere, another, *loose}
    assert await outbox.claim() == []
    assert await outbox.delivered(first)
    assert await outbox.claim() == [second]


async def test_what_was_recorded_together_keeps_its_order(desk: LogWriter, pool: Pool) -> None:
    case, outbox = await a_case(desk), Outbox(pool)
    ids = await told(desk, case, *(f"nr-{n}" for n in range(20)))
    last = await outbox.get(ids[-1])
    assert last is not None

    assert [row.outbox_id for row in await outbox.earlier(last)] == ids[:-1]
    assert [row.outbox_id for row in await outbox.of_partner(CLINIC)] == ids[::-1]
    for outbox_id in ids:
        assert await outbox.claim() == [outbox_id]
        assert await outbox.dead(outbox_id, "HTTP_500")


async def test_an_attempt_begins_only_as_was_decided(desk: LogWriter, pool: Pool) -> None:
    case, outbox = await a_case(desk), Outbox(pool)
    (first,) = await told(desk, case, "referral.sent")
    at = await revision(pool, case)
    assert not await outbox.begin(first, at - 1), "its case has gone on since"
    assert not await outbox.begin(uuid4(), at)

    assert await outbox.begin(first, at)
    begun = await outbox.get(first)
    assert begun is not None
    assert begun.begun_at is not None
    assert await outbox.begin(first, at)
    again = await outbox.get(first)
    assert again is not None
    assert again.begun_at == begun.begun_at, "since when the partner may know"


@pytest.mark.parametrize("settled", ["delivered", "dead", "withdrawn", "by_hand"])
async def test_no_attempt_begins_once_a_message_is_settled_or_in_somebodys_hand(
    desk: LogWriter, pool: Pool, owner: Pool, settled: str
) -> None:
    case, outbox = await a_case(desk), Outbox(pool)
    (one,) = await told(desk, case, "referral.sent")
    await owner.execute("UPDATE outbox SET status = $1", settled)

    assert not await outbox.begin(one, await revision(pool, case))


async def test_no_attempt_begins_out_of_turn(desk: LogWriter, pool: Pool) -> None:
    case, outbox = await a_case(desk), Outbox(pool)
    first, second = await told(desk, case, "referral.sent", "referral.reminder")
    at = await revision(pool, case)
    assert not await outbox.begin(second, at)
    assert await outbox.dead(first, "HTTP_500")
    assert await outbox.begin(second, at)
    assert await outbox.redeliver(first)
    assert not await outbox.begin(second, at)


async def test_no_attempt_begins_while_something_said_is_not_recorded(
    desk: LogWriter, pool: Pool, inbox: Inbox
) -> None:
    case, outbox = await a_case(desk), Outbox(pool)
    (one,) = await told(desk, case, "referral.sent")
    await inbox.put(IncomingMessage(uuid4(), case, "staff", "staff.message", b"{}", "staff:fatima", "fatima"))

    assert not await outbox.begin(one, await revision(pool, case))


async def test_what_is_held_back_comes_up_again_when_its_case_goes_on_or_after_an_hour(
    desk: LogWriter, pool: Pool, owner: Pool
) -> None:
    case, outbox = await a_case(desk), Outbox(pool)
    (one,) = await told(desk, case, "referral.sent")
    assert await outbox.claim() == [one]
    assert await outbox.hold(one, await revision(pool, case))

    assert await outbox.claim(again_after=AT_ONCE) == []
    assert await outbox.released() == []
    await owner.execute("UPDATE outbox SET claimed_at = claimed_at - interval '61 minutes'")
    assert await outbox.claim() == [one]

    assert await outbox.hold(one, await revision(pool, case))
    await desk.record(case)
    assert await outbox.released() == [one]
    assert await outbox.released() == []
    await outbox.delivered(one)
    assert not await outbox.hold(one, 1)


async def test_a_recording_takes_back_what_it_ends_and_leaves_the_rest(desk: LogWriter, pool: Pool) -> None:
    case, other, outbox = await a_case(desk), await a_case(desk), Outbox(pool)
    sent, reminder = await told(desk, case, "referral.sent", "referral.reminder")
    (brought,) = await told(desk, case, "referral.sent", partner="embassy")
    (kept,) = await told(desk, case, "referral.sent", referral=str(UUID(int=8)))
    (elsewhere,) = await told(desk, other, "referral.sent")
    await outbox.delivered(sent)
    await outbox.to_hand(brought, "NO_RECEIVER")
    ring = await desk.ring(case)
    ending, too_late = uuid4(), uuid4()

    await desk.record(
        case,
        outbox=[
            outgoing(ring, too_late, CLINIC, "referral.reminder", b"x", referral_id=REFERRAL),
            outgoing(ring, ending, CLINIC, "referral.cancelled", b"x", referral_id=REFERRAL),
        ],
        withdrawn=[REFERRAL],
        endings=["referral.cancelled"],
    )

    assert await status(outbox, sent) == "delivered"
    assert {await status(outbox, each) for each in (reminder, brought, too_late)} == {"withdrawn"}
    assert {await status(outbox, each) for each in (kept, elsewhere, ending)} == {"pending"}


async def test_a_recording_that_fails_takes_nothing_back(desk: LogWriter, pool: Pool) -> None:
    case, outbox = await a_case(desk), Outbox(pool)
    (sent,) = await told(desk, case, "referral.sent")
    ring = await desk.ring(case)

    with pytest.raises(Exception, match=r"outbox_pkey|holds an id"):
        await desk.record(case, outbox=[outgoing(ring, sent, CLINIC, "referral.cancelled", b"x")], withdrawn=[REFERRAL])

    assert await status(outbox, sent) == "pending"


async def test_what_is_brought_by_hand_is_found_by_partner_and_settled_once(desk: LogWriter, pool: Pool) -> None:
    case, outbox = await a_case(desk), Outbox(pool)
    first, second = await told(desk, case, "referral.sent", "referral.reminder")
    (other,) = await told(desk, case, "referral.sent", partner="embassy")
    for each in (first, second, other):
        assert await outbox.to_hand(each, "NO_RECEIVER")
        assert not await outbox.to_hand(each, "NO_RECEIVER")

    assert [row.outbox_id for row in await outbox.by_hand(CLINIC)] == [first, second]
    assert await outbox.pending() == []
    assert await outbox.claim() == []
    assert await outbox.handed_over_referral(case, REFERRAL) == 3
    assert await outbox.handed_over_referral(case, REFERRAL) == 0
    assert not await outbox.handed_over(first)
    assert await outbox.by_hand(CLINIC) == []
    settled = await outbox.get(first)
    assert settled is not None
    assert (settled.status, settled.begun_at is not None) == ("delivered", True)


async def begun(outbox: Outbox, *ids: UUID) -> list[bool]:
    found = [await outbox.get(each) for each in ids]
    return [each is not None and each.begun_at is not None for each in found]


async def test_what_a_partner_is_shown_it_may_know_whether_it_was_delivered_or_not(desk: LogWriter, pool: Pool) -> None:
    case, outbox = await a_case(desk), Outbox(pool)
    brought, pending = await told(desk, case, "referral.sent", "referral.reminder")
    (another,) = await told(desk, case, "referral.sent", referral=str(UUID(int=8)))
    assert await outbox.to_hand(brought, "NO_RECEIVER")

    assert await outbox.shown(case, REFERRAL, await revision(pool, case))

    assert [await status(outbox, each) for each in (brought, pending, another)] == ["delivered", "pending", "pending"]
    assert await begun(outbox, brought, pending, another) == [True, True, False]
    assert await outbox.shown(case, REFERRAL, await revision(pool, case)), "as often as it is looked at"


async def test_what_was_handed_over_while_it_was_to_be_delivered_may_be_known(desk: LogWriter, pool: Pool) -> None:
    case, outbox = await a_case(desk), Outbox(pool)
    (pending,) = await told(desk, case, "referral.sent")

    assert await outbox.handed_over_referral(case, REFERRAL) == 0

    assert (await status(outbox, pending), await begun(outbox, pending)) == ("pending", [True])


async def test_nothing_is_shown_or_taken_along_once_its_case_has_gone_on_or_is_about_to(
    desk: LogWriter, pool: Pool, inbox: Inbox
) -> None:
    case, outbox = await a_case(desk), Outbox(pool)
    (one,) = await told(desk, case, "referral.sent")
    assert await outbox.to_hand(one, "NO_RECEIVER")
    before = await revision(pool, case)
    await desk.record(case)

    assert not await outbox.shown(case, REFERRAL, before)
    assert not await outbox.begin_manual_delivery(one, before)
    now = await revision(pool, case)
    await inbox.put(IncomingMessage(uuid4(), case, "staff", "staff.message", b"{}", "staff:fatima", "fatima"))
    assert not await outbox.shown(case, REFERRAL, now)
    assert not await outbox.begin_manual_delivery(one, now)
    assert (await status(outbox, one), await begun(outbox, one)) == ("by_hand", [False])


async def test_what_somebody_takes_along_is_still_to_be_brought(desk: LogWriter, pool: Pool) -> None:
    case, outbox = await a_case(desk), Outbox(pool)
    one, pending = await told(desk, case, "referral.sent", "referral.reminder")
    assert await outbox.to_hand(one, "NO_RECEIVER")
    now = await revision(pool, case)

    assert await outbox.begin_manual_delivery(one, now)
    assert not await outbox.begin_manual_delivery(pending, now), "nobody was asked to bring it"

    assert [row.outbox_id for row in await outbox.by_hand()] == [one]
    assert await begun(outbox, one, pending) == [True, False]


async def test_only_what_nobody_delivers_any_more_is_redelivered(desk: LogWriter, pool: Pool) -> None:
    case, outbox = await a_case(desk), Outbox(pool)
    (one,) = await told(desk, case, "referral.sent")
    assert not await outbox.redeliver(one)
    await outbox.failed(one, "HTTP_500")
    await outbox.dead(one, None)

    assert await outbox.redeliver(one)

    again = await outbox.get(one)
    assert again is not None
    assert (again.status, again.attempts, again.last_error, again.settled_at) == ("pending", 0, "HTTP_500", None)
    assert await outbox.claim() == [one]
    await outbox.delivered(one)
    assert not await outbox.redeliver(one)
    assert not await outbox.redeliver(uuid4())
