"""The release check: it is made on the current state of the case when the connection is open, and in order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest

from activities import release_check as leaving
from activities.delivery import HELD, OVER, DeliveryActivities
from activities.webhook_client import Gate, WebhookClient, WebhookResponse
from store.messages.outbox import Delivery
from tests.activities.conftest import CLINIC, Post
from tests.support.builders import MONDAY, a_screened_case
from workers.quiescence import _BUSY

EMBASSY = "embassy-nga"

GIVEN = {"form_version": "C-1", "language": "en"}

FORBIDDING: dict[str, tuple[str, str, dict[str, Any]]] = {
    "the consent was withdrawn": (CLINIC, "WithdrawConsent", {"purpose": "SHARE_CLINIC"}),
    "the consent was refused": (CLINIC, "RecordConsent", {"purpose": "SHARE_CLINIC", "given": False, **GIVEN}),
    "the partner was excluded": (
        *(CLINIC, "RecordConsent"),
        {"purpose": "SHARE_CLINIC", "excluded_partners": [CLINIC], **GIVEN},
    ),
    "somebody is afraid": (EMBASSY, "RecordNonRefoulementScreen", {"outcome": "CLAIM"}),
    "there is a concern": (EMBASSY, "RaiseProtectionConcern", {"risk_level": "HIGH", "concern": "x"}),
    "a hold was placed": (EMBASSY, "PlaceHold", {"hold_type": "PROTECTION", "reason": "x"}),
    "the person does not want to go": (EMBASSY, "WithdrawVoluntaryReturn", {"channel": "HOTLINE"}),
}


@pytest.mark.parametrize("what", FORBIDDING)
async def test_nothing_leaves_after(post: Post, what: str) -> None:
    partner_id, name, fields = FORBIDDING[what]
    await post.partner("ok", partner_id)
    case = await post.case()
    (line,) = await post.lines(case, partner_id)
    await post.says(case, name, **fields)

    tried = await post.attempt(line)

    assert tried in (HELD, OVER)
    assert post.stranger.notes() == []
    assert (await post.now(line)).begun_at is None


@pytest.mark.parametrize("what", FORBIDDING)
async def test_nothing_leaves_although_nobody_has_recorded_it_yet(
    post: Post, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has a receipt and is not recorded yet."""
    monkeypatch.setattr(leaving, "POLLS", 2)
    partner_id, name, fields = FORBIDDING[what]
    await post.partner("ok", partner_id)
    case = await post.case()
    (line,) = await post.lines(case, partner_id)
    await post.worker.say(case, name, **fields)

    assert await post.attempt(line) == HELD

    assert post.stranger.notes() == []


async def test_what_is_being_recorded_is_waited_for(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    (line,) = await post.lines(case)
    await post.worker.say(case, "AddNote", note="called")

    attempt = asyncio.create_task(post.attempt(line))
    await asyncio.sleep(0.3)
    assert post.stranger.notes() == []
    await post.worker.record(case)

    assert await attempt == OVER
    assert (await post.now(line)).status == "delivered"


async def test_a_message_that_is_held_back_leaves_once_its_case_has_gone_on(post: Post) -> None:
    await post.partner("ok", EMBASSY)
    case = await post.case()
    (line,) = await post.lines(case, EMBASSY)
    assert line.outbox_id in await post.outbox.claim()
    await post.says(case, "PlaceHold", hold_type="CONSENT", reason="x")
    assert await post.attempt(line) == HELD
    assert await post.outbox.released() == []
    assert line.outbox_id not in await under_way(post)

    await post.says(case, "AddNote", note="still not")
    assert await post.outbox.released() == [line.outbox_id]
    assert await post.outbox.released() == []
    assert await post.attempt(line) == HELD
    await post.says(case, "AssessVoluntariness", understood=True, free_of_pressure=True, in_private=True)
    await post.says(case, "SignVoluntaryReturnDeclaration", country="NGA", form_version="VRD-1", language="en")
    (held,) = (await post.state(case)).holds
    await post.says(case, "LiftHold", hold_id=str(held), reason="declared anew")
    assert await post.outbox.released() == [line.outbox_id]

    assert await post.attempt(line) == OVER
    assert (await post.now(line)).status == "delivered"
    assert (await post.now(line)).attempts == 1, "being held back is no attempt"


async def under_way(post: Post) -> list[UUID]:
    return [row[0] for row in await post.worker.pool.fetch("SELECT outbox_id FROM outgoing_now")]


async def test_a_demonstration_does_not_wait_for_what_is_held_back(post: Post) -> None:
    """The clock moves only when no delivery is in progress; held deliveries do not count."""
    for partner_id in (CLINIC, EMBASSY):
        await post.partner("ok", partner_id)
    case = await post.case()
    await post.says(case, "PlaceHold", hold_type="CONSENT", reason="x")
    busy = _BUSY.partition("OR EXISTS (SELECT FROM streams s LEFT JOIN")[0]
    assert await post.worker.pool.fetchval(busy)

    for line in await post.outbox.pending():
        await post.attempt(line)

    assert [line.status for line in await post.lines(case, EMBASSY)] == ["pending"]
    assert not await post.worker.pool.fetchval(busy)
    await post.says(case, "AddNote", note="moved on")
    assert await post.worker.pool.fetchval(busy), "it is looked at again"


# Endings


async def test_what_was_not_delivered_when_its_referral_ends_is_withdrawn_in_the_same_recording(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    await post.reminds(case)
    referral = await post.referral(case)
    await post.says(case, "CancelReferral", referral_id=str(referral.referral_id), reason="another clinic")

    sent, reminder, ending = await post.lines(case)
    head = await post.worker.pool.fetchrow("SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1")
    assert head is not None

    assert [sent.status, reminder.status, ending.status] == ["withdrawn", "withdrawn", "pending"]
    assert (sent.settled_at, ending.created_at) == (head[0], head[0])
    assert {line.referral_id for line in (sent, reminder, ending)} == {str(referral.referral_id)}
    for line in (sent, reminder, ending):
        assert await post.attempt(line) == OVER
    assert post.stranger.notes() == []
    assert (await post.now(ending)).status == "withdrawn", "whoever never heard of it need not hear of its end"


@pytest.mark.parametrize("doing", ["ok", "fail", "too_late", "reset"])
async def test_a_partner_that_may_know_of_a_referral_is_told_that_it_has_ended(post: Post, doing: str) -> None:
    await post.partner(f"{doing},ok")
    case = await post.case()
    (sent,) = await post.lines(case)
    await post.attempt(sent)
    referral = await post.referral(case)
    await post.says(case, "CancelReferral", referral_id=str(referral.referral_id), reason="another clinic")

    sent, ending = await post.lines(case)
    assert sent.status == ("delivered" if doing == "ok" else "withdrawn")
    assert await post.attempt(sent) == OVER
    assert await post.attempt(ending) == OVER

    told = [json.loads(asked["body"])["type"] for asked in post.stranger.asked]
    assert told == ["org.iom.vhr.referral.sent.v1", "org.iom.vhr.referral.cancelled.v1"]
    assert (await post.now(ending)).status == "delivered"


async def ends(post: Post, case: UUID) -> Delivery:
    """Cancels the referral of a case. Returns the notice of the cancellation."""
    referral = await post.referral(case)
    await post.says(case, "CancelReferral", referral_id=str(referral.referral_id), reason="another clinic")
    *_, ending = await post.lines(case)
    assert ending.name == "referral.cancelled"
    assert await post.attempt(ending) == OVER
    await post.worker.record(case)
    return await post.now(ending)


async def revision(post: Post, case: UUID) -> int:
    found: int = await post.worker.pool.fetchval("SELECT revision FROM streams WHERE stream_id = $1", case)
    return found


async def test_a_partner_that_was_shown_a_referral_before_it_was_delivered_is_told_that_it_has_ended(
    post: Post,
) -> None:
    await post.partner("ok")
    case = await post.case()
    (sent,) = await post.lines(case)
    assert await post.outbox.shown(case, str(sent.referral_id), await revision(post, case))
    assert (await post.now(sent)).status == "pending", "it is delivered all the same"

    assert (await ends(post, case)).status == "delivered"
    (asked,) = post.stranger.asked
    assert json.loads(asked["body"])["type"] == "org.iom.vhr.referral.cancelled.v1"


async def test_what_somebody_has_in_hand_may_be_known_so_that_its_end_is_brought_too(post: Post) -> None:
    await post.partner(None)
    case = await post.case()
    (sent,) = await post.lines(case)
    await post.attempt(sent)
    await post.worker.record(case)
    assert await post.outbox.begin_manual_delivery(sent.outbox_id, await revision(post, case))

    assert (await ends(post, case)).status == "by_hand"
    assert (await post.now(sent)).status == "withdrawn"
    state = await post.state(case)
    assert [task.task for task in state.tasks.values()].count("bring a partner its message by hand") == 2


@pytest.mark.parametrize("how", ["ReportHandedOver", "ACKNOWLEDGED", "ACCEPTED", "PROGRESS"])
async def test_whoever_was_brought_a_referral_or_has_answered_it_is_told_of_its_end(post: Post, how: str) -> None:
    """Independently of the state of the first delivery."""
    await post.partner(None)
    case = await post.case()
    (sent,) = await post.lines(case)
    await post.attempt(sent)
    await post.worker.record(case)
    referral = await post.referral(case)
    if how == "ReportHandedOver":
        await post.says(case, how, referral_id=str(referral.referral_id), how="PAPER")
    else:
        fields: dict[str, Any] = {"signal_id": str(UUID(int=8)), "referral_token": referral.token, "partner_id": CLINIC}
        about = {"signal_type": how, "occurred_at": "2026-11-24T10:00:00Z"}
        await post.worker.say(case, "ReceivePartnerSignal", by=f"partner:{CLINIC}", **(fields | about))
        await post.worker.record(case)

    assert (await ends(post, case)).status == "by_hand"


async def test_the_end_is_told_although_there_is_no_consent_any_more(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    (sent,) = await post.lines(case)
    await post.attempt(sent)
    await post.says(case, "WithdrawConsent", purpose="SHARE_CLINIC")

    _, ending = await post.lines(case)

    assert await post.attempt(ending) == OVER
    assert (await post.now(ending)).status == "delivered"


async def test_an_excluded_partner_is_not_even_told_of_an_end(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    (sent,) = await post.lines(case)
    await post.attempt(sent)
    await post.says(case, "RecordConsent", purpose="SHARE_CLINIC", excluded_partners=[CLINIC], **GIVEN)

    assert [line.name for line in await post.lines(case)] == ["referral.sent"]
    assert len(post.stranger.asked) == 1


async def test_what_is_still_to_be_brought_by_hand_is_withdrawn_with_its_referral(post: Post) -> None:
    await post.partner(None)
    case = await post.case()
    (sent,) = await post.lines(case)
    await post.attempt(sent)
    await post.worker.record(case)
    referral = await post.referral(case)

    await post.says(case, "CancelReferral", referral_id=str(referral.referral_id), reason="x")

    sent, ending = await post.lines(case)
    assert sent.status == "withdrawn"
    assert not await post.outbox.handed_over(sent.outbox_id)
    assert await post.attempt(ending) == OVER
    assert (await post.now(ending)).status == "withdrawn"


async def by_hand(post: Post, case: UUID) -> Delivery:
    (sent,) = await post.lines(case)
    await post.attempt(sent)
    await post.worker.record(case)
    return await post.now(sent)


async def test_what_a_person_says_to_have_brought_is_settled_in_the_same_recording(post: Post) -> None:
    await post.partner(None)
    case = await post.case()
    sent, referral = await by_hand(post, case), await post.referral(case)
    assert sent.status == "by_hand"
    assert "bring a partner its message by hand" in {task.task for task in (await post.state(case)).tasks.values()}

    await post.says(case, "ReportHandedOver", referral_id=str(referral.referral_id), how="PAPER")

    recorded_at = await post.worker.pool.fetchval("SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1")
    brought = await post.now(sent)
    assert (brought.status, brought.settled_at) == ("delivered", recorded_at)
    assert brought.begun_at is not None
    assert await post.outbox.by_hand(CLINIC) == []
    assert "bring a partner its message by hand" not in {task.task for task in (await post.state(case)).tasks.values()}


async def test_what_was_brought_stays_brought_although_its_referral_ends_in_the_same_recording(post: Post) -> None:
    await post.partner(None)
    case = await post.case()
    sent, referral = await by_hand(post, case), await post.referral(case)
    mine = str(referral.referral_id)
    await post.worker.say(case, "ReportHandedOver", referral_id=mine, how="PAPER")

    await post.says(case, "CancelReferral", referral_id=mine, reason="x")

    assert (await post.now(sent)).status == "delivered"


async def test_a_referral_that_was_answered_meanwhile_is_not_sent_any_more(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    (line,) = await post.lines(case)
    await post.says(case, "PlaceHold", hold_type="MEDICAL", reason="x")
    referral = await post.referral(case)
    fields: dict[str, Any] = {
        "signal_id": str(UUID(int=7)),
        "referral_token": referral.token,
        "partner_id": CLINIC,
        "signal_type": "COMPLETED",
        "outcome_code": "NO_SIGNIFICANT_CONDITION",
        "occurred_at": "2026-11-24T10:00:00Z",
    }
    await post.worker.say(case, "ReceivePartnerSignal", by=f"partner:{CLINIC}", **fields)
    await post.worker.record(case)

    assert (await post.now(line)).status == "withdrawn"
    assert await post.attempt(line) == OVER
    assert post.stranger.notes() == []


# In order


async def test_a_later_message_of_a_referral_waits_for_the_earlier_one(post: Post) -> None:
    await post.partner("fail,ok")
    case = await post.case()
    await post.reminds(case)
    sent, reminder = await post.lines(case)

    claimed = await post.outbox.claim()
    assert (sent.outbox_id in claimed, reminder.outbox_id in claimed) == (True, False)
    assert await post.attempt(reminder) == HELD
    await post.attempt(sent)
    assert await post.attempt(reminder) == HELD
    assert await post.outbox.released() == []
    assert await post.attempt(sent) == OVER
    assert await post.outbox.released() == [reminder.outbox_id]
    assert await post.attempt(reminder) == OVER

    told = [json.loads(asked["body"])["type"].split(".")[-2] for asked in post.stranger.asked]
    assert told == ["sent", "sent", "reminder"]
    assert post.stranger.notes("hung up") == [], "nobody is even called out of turn"


async def test_referrals_do_not_wait_for_one_another(post: Post) -> None:
    await post.partner("hang")
    await post.partner("ok", EMBASSY)
    case = await post.case()
    other = await post.case()

    claimed = await post.outbox.claim()

    assert {line.outbox_id for line in await post.outbox.pending()} == set(claimed)
    (embassy,), (clinic,) = await post.lines(case, EMBASSY), await post.lines(other)
    assert await post.attempt(embassy) == OVER
    assert (await post.attempt(clinic)).tries == 1


# Race conditions


@dataclass(frozen=True)
class Overtaking(WebhookClient):
    """A client in which something happens when the connection is open and nothing has been sent."""

    happens: Callable[[], Awaitable[None]] | None = None

    async def post(self, url: str, headers: Any, body: bytes, gate: Gate | None = None) -> WebhookResponse:
        async def late() -> None:
            if self.happens is not None:
                await self.happens()
            assert gate is not None
            await gate()

        return await super().post(url, headers, body, late)


def overtaken(post: Post, happens: Callable[[], Awaitable[None]]) -> DeliveryActivities:
    way = Overtaking(loopback=True, happens=happens)
    return DeliveryActivities(post.worker.pool, post.worker.keys, way)


@pytest.mark.parametrize("what", FORBIDDING)
async def test_whatever_is_committed_before_the_first_byte_keeps_it_back(post: Post, what: str) -> None:
    partner_id, name, fields = FORBIDDING[what]
    await post.partner("ok", partner_id)
    case = await post.case()
    (line,) = await post.lines(case, partner_id)

    async def happens() -> None:
        await post.says(case, name, **fields)

    tried = await overtaken(post, happens).attempt(line.outbox_id)

    assert tried in (HELD, OVER)
    assert post.stranger.asked == []
    assert (await post.now(line)).begun_at is None


async def test_whatever_was_said_before_the_first_byte_keeps_it_back_although_nobody_has_recorded_it(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving, "POLLS", 2)
    await post.partner("ok")
    case = await post.case()
    (line,) = await post.lines(case)

    async def happens() -> None:
        await post.worker.say(case, "WithdrawConsent", purpose="SHARE_CLINIC")

    assert await overtaken(post, happens).attempt(line.outbox_id) == HELD

    assert post.stranger.asked == []
    assert (await post.now(line)).begun_at is None


async def test_a_cancellation_committed_before_the_first_byte_keeps_its_referral_back(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    (line,) = await post.lines(case)
    referral = await post.referral(case)

    async def happens() -> None:
        await post.says(case, "CancelReferral", referral_id=str(referral.referral_id), reason="x")

    assert await overtaken(post, happens).attempt(line.outbox_id) == OVER

    assert post.stranger.asked == []
    sent, ending = await post.lines(case)
    assert (sent.status, sent.begun_at) == ("withdrawn", None)
    assert await post.attempt(ending) == OVER
    assert post.stranger.asked == []


async def test_something_harmless_before_the_first_byte_only_makes_it_ask_again(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    (line,) = await post.lines(case)
    times = iter([True, False, False])

    async def happens() -> None:
        if next(times):
            await post.says(case, "AddNote", note="called")

    assert await overtaken(post, happens).attempt(line.outbox_id) == OVER

    assert len(post.stranger.asked) == 1
    assert (await post.now(line)).status == "delivered"


async def test_a_case_that_never_rests_puts_the_message_off_and_loses_nothing(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    (line,) = await post.lines(case)

    async def happens() -> None:
        await post.says(case, "AddNote", note="again")

    assert await overtaken(post, happens).attempt(line.outbox_id) == HELD
    assert post.stranger.asked == []
    assert await post.outbox.released() == [line.outbox_id]
    assert await post.attempt(line) == OVER


async def test_two_that_withdraw_and_begin_at_once_agree_on_who_was_first(post: Post) -> None:
    """Twenty times: either the partner may know the referral and gets its end, or it knows nothing and gets nothing."""
    await post.partner("ok")
    for _ in range(20):
        case = await post.case()
        (line,) = await post.lines(case)
        referral = await post.referral(case)
        order = {"referral_id": str(referral.referral_id), "reason": "x"}
        before = len(post.stranger.asked)

        await asyncio.gather(post.attempt(line), post.says(case, "CancelReferral", **order))
        for each in await post.lines(case):
            await post.attempt(each)

        sent, ending = await post.lines(case)
        told = len(post.stranger.asked) - before
        if sent.begun_at is None:
            assert (sent.status, ending.status, told) == ("withdrawn", "withdrawn", 0)
        else:
            assert ending.status == "delivered"
            assert told == 2


# Unreadable events and messages


async def test_a_case_that_cannot_be_read_lets_nothing_leave(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    (line,) = await post.lines(case)
    async with post.worker.owner.acquire() as hand, hand.transaction():
        await hand.execute("SET LOCAL session_replication_role = replica")
        await hand.execute("UPDATE events SET topic = 'Nobody' WHERE stream_id = $1 AND version = 5", case)

    assert await post.attempt(line) == HELD
    assert post.stranger.notes() == []


def test_of_a_referral_that_is_over_only_its_end_is_told() -> None:
    told = a_screened_case()
    referral = told.referral("MEDICAL_ASSESSMENT")
    line = Delivery(
        *(UUID(int=1), told.case.id, referral.partner_id, "referral.sent", b"", MONDAY, "pending", 0),
        referral_id=str(referral.referral_id),
    )
    assert leaving.judge(told.case, line, (), MONDAY) is leaving.Verdict.GO

    told.having("CancelReferral", referral_id=referral.referral_id, reason="x")

    assert leaving.judge(told.case, line, (), MONDAY) is leaving.Verdict.WITHDRAWN
    reminder, ending = replace(line, name="referral.reminder"), replace(line, name="referral.cancelled")
    assert leaving.judge(told.case, reminder, (), MONDAY) is leaving.Verdict.WITHDRAWN
    assert leaving.judge(told.case, ending, (), MONDAY) is leaving.Verdict.GO


def test_a_message_about_no_referral_has_nobody_to_give_it_leave() -> None:
    told = a_screened_case()
    line = Delivery(UUID(int=1), told.case.id, CLINIC, "referral.sent", b"", MONDAY, "pending", 0)
    assert leaving.judge(told.case, line, (), MONDAY) is leaving.Verdict.HELD
    stray = replace(line, referral_id=str(UUID(int=9)))
    assert leaving.judge(told.case, stray, (), MONDAY) is leaving.Verdict.HELD
