"""Disclosures to partners: a disclosure counts once its message has been sent, and not before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from audit.case_view import show
from tests.activities.conftest import CLINIC, Post


async def disclosures_of(post: Post, case: UUID, **when: Any) -> list[str]:
    """Returns the state of all disclosures to the clinic."""
    found = await show(post.worker.pool, post.worker.keys, case, **when)
    return [each["fate"] for each in found["disclosures"] if each["recipient"] == CLINIC]


async def ends(post: Post, case: UUID) -> None:
    referral = await post.referral(case)
    await post.says(case, "CancelReferral", referral_id=str(referral.referral_id), reason="another clinic")


async def test_what_was_taken_back_before_it_left_was_never_told(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    assert await disclosures_of(post, case) == ["WAITING"]

    await ends(post, case)

    assert await disclosures_of(post, case) == ["NEVER_LEFT"]


async def test_a_partner_that_was_being_told_when_its_referral_ended_may_know(post: Post) -> None:
    await post.partner("hang")
    case = await post.case()
    (line,) = await post.lines(case)
    await post.attempt(line)
    await ends(post, case)

    assert (await post.now(line)).status == "withdrawn"
    assert await disclosures_of(post, case) == ["MAY_KNOW"]


async def test_what_is_delivered_or_brought_by_hand_was_told(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    (line,) = await post.lines(case)
    await post.attempt(line)
    await ends(post, case)
    await post.partner(None, "clinic-by-hand")
    assert await disclosures_of(post, case) == ["TOLD"]


async def test_what_lies_ready_to_be_brought_was_told_only_when_somebody_has_brought_it(post: Post) -> None:
    await post.partner(None)
    case = await post.case()
    (line,) = await post.lines(case)
    await post.attempt(line)
    assert await disclosures_of(post, case) == ["WAITING"]

    assert await post.outbox.handed_over(line.outbox_id)

    assert await disclosures_of(post, case) == ["TOLD"]


async def test_a_letter_given_up_before_the_first_byte_was_never_told_until_it_is_tried_anew(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    (line,) = await post.lines(case)
    assert await post.outbox.dead(line.outbox_id, "NO_ROUTE")
    assert await disclosures_of(post, case) == ["NEVER_LEFT"]

    assert await post.outbox.redeliver(line.outbox_id)
    await post.attempt(line)

    assert await disclosures_of(post, case) == ["TOLD"]


async def test_a_look_back_knows_nothing_of_what_was_delivered_later(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    (line,) = await post.lines(case)
    await post.attempt(line)
    settled = (await post.now(line)).settled_at
    assert settled is not None

    assert await disclosures_of(post, case, known_at=settled - timedelta(microseconds=1)) == ["WAITING"]
    assert await disclosures_of(post, case, known_at=settled) == ["TOLD"]


async def test_what_a_person_says_to_have_brought_was_told_whatever_became_of_the_message(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    (line,) = await post.lines(case)
    assert await post.outbox.dead(line.outbox_id, "NO_ROUTE")
    referral = await post.referral(case)

    await post.says(case, "ReportHandedOver", referral_id=str(referral.referral_id), how="VISIT")

    assert await disclosures_of(post, case) == ["TOLD"]
