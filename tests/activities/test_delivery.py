"""Deliveries to receivers that fail, hang, reset, redirect, flood or answer late: each attempt ends with a result."""

from __future__ import annotations

import json
import time
import tracemalloc
from datetime import UTC, datetime
from uuid import UUID

import pytest

from activities.delivery import OVER, Attempt, rest_of
from store.crypto.webhook_signatures import new_secret, verified
from store.partners import keys as partner_keys
from store.partners import registry as partners
from tests.activities.conftest import CLINIC, Post


async def test_what_arrives_is_signed_whole_and_about_one_referral(post: Post) -> None:
    secret = await post.partner("ok")
    case = await post.case()
    (line,) = await post.lines(case)

    assert await post.attempt(line) == OVER

    (asked,) = post.stranger.asked
    event = json.loads(asked["body"])
    assert verified((secret,), asked["headers"], asked["body"].encode(), time.time())
    assert event["id"] == asked["headers"]["webhook-id"] == str(line.outbox_id)
    assert event["type"] == "org.iom.vhr.referral.sent.v1"
    assert asked["headers"]["content-type"] == "application/cloudevents+json"
    assert event["data"]["referral_token"] == (await post.referral(case)).token
    settled = await post.now(line)
    assert (settled.status, settled.attempts, settled.last_error) == ("delivered", 1, None)
    assert settled.begun_at is not None
    assert settled.settled_at is not None


async def test_while_a_secret_is_replaced_every_message_is_signed_with_both(post: Post) -> None:
    old = await post.partner("ok")
    new = new_secret()
    await partner_keys.add_key(
        post.worker.pool, post.worker.keys.master, CLINIC, new, direction=partner_keys.Direction.OUTBOUND
    )
    (line,) = await post.lines(await post.case())

    await post.attempt(line)

    (asked,) = post.stranger.asked
    signatures = asked["headers"]["webhook-signature"].split(" ")
    assert len(signatures) == 2
    for secret in (old, new):
        assert verified((secret,), asked["headers"], asked["body"].encode(), time.time())
    assert not verified((new_secret(),), asked["headers"], asked["body"].encode(), time.time())


async def test_every_attempt_carries_the_same_id_and_the_same_words(post: Post) -> None:
    await post.partner("fail,hang,reset,ok")
    (line,) = await post.lines(await post.case())

    tried = [await post.attempt(line) for _ in range(4)]

    assert [one.tries for one in tried] == [1, 2, 3, 0]
    assert tried[-1] == OVER
    assert {asked["headers"]["webhook-id"] for asked in post.stranger.asked} == {str(line.outbox_id)}
    assert len({asked["body"] for asked in post.stranger.asked}) == 1
    assert len(post.stranger.asked) == 4
    assert (await post.now(line)).attempts == 4


FAILURES = {
    "fail": "HTTP_500",
    "hang": "ReadTimeout",
    "too_late": "ReadTimeout",
    "reset": "ReadError",
    "nonsense": "RemoteProtocolError",
    "headers": "RemoteProtocolError",
    "redirect?http://127.0.0.1:22/": "HTTP_302",
    "busy": "HTTP_429",
    "closed": "HTTP_503",
}


@pytest.mark.parametrize("doing", FAILURES)
async def test_an_attempt_that_comes_to_nothing_is_counted_and_says_why_in_a_word(post: Post, doing: str) -> None:
    await post.partner(doing)
    (line,) = await post.lines(await post.case())

    tried = await post.attempt(line)

    after = await post.now(line)
    assert (tried.over, tried.held, tried.tries) == (False, False, 1)
    assert (after.status, after.attempts, after.last_error) == ("pending", 1, FAILURES[doing])
    assert after.tried_at is not None
    assert after.begun_at is not None, "the partner may know of it"


async def test_a_receiver_that_is_not_there_was_told_nothing(post: Post) -> None:
    await post.partner("ok")
    await post.worker.pool.execute("UPDATE partners SET receiver_url = 'http://127.0.0.1:1/'")
    (line,) = await post.lines(await post.case())

    assert (await post.attempt(line)).tries == 1

    after = await post.now(line)
    assert (after.last_error, after.begun_at) == ("ConnectError", None)


async def test_an_answer_that_is_slow_but_in_time_counts(post: Post) -> None:
    await post.partner("late")
    (line,) = await post.lines(await post.case())

    assert await post.attempt(line) == OVER


async def test_an_answer_after_the_time_is_up_is_none_and_the_repeat_is_known_by_its_id(post: Post) -> None:
    await post.partner("too_late,ok")
    (line,) = await post.lines(await post.case())

    assert (await post.attempt(line)).tries == 1
    await post.stranger.noted("answered when nobody listened")
    assert await post.attempt(line) == OVER

    first, second = post.stranger.asked
    assert first["headers"]["webhook-id"] == second["headers"]["webhook-id"]


async def test_of_an_answer_of_64_mebibytes_little_is_read_and_nothing_kept(post: Post) -> None:
    await post.partner("flood")
    (line,) = await post.lines(await post.case())

    tracemalloc.start()
    try:
        assert await post.attempt(line) == OVER
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    (flooded,) = await post.stranger.noted("flooded")
    assert flooded["mebibytes"] < 32, "what fits into the wires between us, and no more"
    assert peak < 16 * 1024 * 1024


async def test_an_answer_that_never_ends_was_an_answer(post: Post) -> None:
    await post.partner("drip")
    (line,) = await post.lines(await post.case())

    assert await post.attempt(line) == OVER


async def test_a_partner_that_is_busy_says_how_long(post: Post) -> None:
    await post.partner("busy,closed,fail")
    (line,) = await post.lines(await post.case())

    busy, closed, failed = [await post.attempt(line) for _ in range(3)]

    assert busy == Attempt(tries=1, rest_s=7200)
    assert (closed.tries, closed.rest_s > 86_400) == (2, True)
    assert failed == Attempt(tries=3)


UNREADABLE = (None, "", "soon", "-5", "1e9", "٣", "Mon, 30 Nov 2026 00:00:00 GMT")

RESTS: dict[str | None, float] = {
    **dict.fromkeys(UNREADABLE, 0),
    "0": 0,
    "120": 120,
    "9" * 400: 999_999_999,
    "Tue, 01 Dec 2026 00:02:00 GMT": 120,
}


@pytest.mark.parametrize(("said", "seconds"), RESTS.items())
def test_a_wish_to_be_left_alone_is_read_as_far_as_it_can_be(said: str | None, seconds: float) -> None:
    assert rest_of(said, datetime(2026, 12, 1, tzinfo=UTC)) == seconds


# No receiver


async def test_a_partner_without_a_receiver_gets_its_message_by_hand_and_a_person_is_told_once(post: Post) -> None:
    await post.partner(None)
    case = await post.case()
    (line,) = await post.lines(case)

    assert await post.attempt(line) == OVER
    await post.worker.record(case)

    assert [row.outbox_id for row in await post.outbox.by_hand(CLINIC)] == [line.outbox_id]
    assert (await tasks(post, case)).count("bring a partner its message by hand") == 1
    assert "ReferralDeliveryFailed" not in await post.worker.names(case)
    assert post.stranger.asked == []

    assert await post.outbox.handed_over(line.outbox_id)
    assert not await post.outbox.handed_over(line.outbox_id)
    assert (await post.now(line)).status == "delivered"
    assert await post.outbox.by_hand(CLINIC) == []


async def test_a_reminder_of_what_is_still_to_be_brought_is_brought_along_without_another_task(post: Post) -> None:
    await post.partner(None)
    case = await post.case()
    (first,) = await post.lines(case)
    await post.attempt(first)
    await post.worker.record(case)
    await post.reminds(case)
    first, reminder = await post.lines(case)
    await post.partner("ok")  # a receiver is registered meanwhile

    await post.attempt(reminder)
    await post.worker.record(case)

    assert [row.status for row in await post.lines(case)] == ["by_hand", "by_hand"]
    assert (await tasks(post, case)).count("bring a partner its message by hand") == 1
    assert await post.outbox.handed_over_referral(case, str(first.referral_id)) == 2
    assert [row.status for row in await post.lines(case)] == ["delivered", "delivered"]


async def test_what_was_to_be_brought_can_be_delivered_once_there_is_a_receiver(post: Post) -> None:
    await post.partner(None)
    case = await post.case()
    (line,) = await post.lines(case)
    await post.attempt(line)
    await post.worker.record(case)
    await post.partner("ok")

    assert await post.outbox.redeliver(line.outbox_id)
    assert await post.attempt(line) == OVER

    assert (await post.now(line)).status == "delivered"


async def test_a_receiver_that_says_it_is_gone_is_not_asked_again_and_a_person_is_told(post: Post) -> None:
    await post.partner("gone,ok")
    first, second = await post.case(), await post.case()

    for case in (first, second):
        (line,) = await post.lines(case)
        assert await post.attempt(line) == OVER
        await post.worker.record(case)

    assert len(post.stranger.asked) == 1
    clinic = await partners.get(post.worker.pool, CLINIC)
    assert clinic is not None
    assert clinic.receiver_url is None
    assert "ReferralDeliveryFailed" in await post.worker.names(first)
    assert "a message to a partner was not delivered" in await tasks(post, first)
    assert {row.stream_id for row in await post.outbox.by_hand(CLINIC)} == {first, second}

    await post.partner("gone,ok")  # registered again, with the same address
    assert await partner_keys.outbound(post.worker.pool, post.worker.keys.master, CLINIC)


async def test_a_receiver_registered_since_is_not_forgotten_with_the_old_one(post: Post) -> None:
    await post.partner("ok")

    assert not await partners.receiver_is_gone(post.worker.pool, CLINIC, "http://127.0.0.1:1/old")

    assert await partner_keys.outbound(post.worker.pool, post.worker.keys.master, CLINIC)


# Dead letters


async def test_a_dead_letter_is_a_fact_of_its_case_and_a_task_for_a_person(post: Post) -> None:
    await post.partner("fail")
    case = await post.case()
    (line,) = await post.lines(case)
    await post.attempt(line)

    await post.delivering.give_up(str(line.outbox_id))
    await post.delivering.give_up(str(line.outbox_id))
    await post.worker.record(case)

    dead = await post.now(line)
    assert (dead.status, dead.last_error) == ("dead", "HTTP_500")
    assert (await post.worker.names(case)).count("ReferralDeliveryFailed") == 1
    assert "a message to a partner was not delivered" in await tasks(post, case)
    (told,) = await post.worker.pool.fetch("SELECT kind, name, actor, status FROM inbox WHERE kind = 'system'")
    assert tuple(told) == ("system", "system.report", "system", "applied")


async def test_a_dead_letter_is_tried_anew_under_its_old_id_and_may_die_again(post: Post) -> None:
    await post.partner("fail,fail,ok")
    case = await post.case()
    (line,) = await post.lines(case)
    for _ in range(2):
        await post.attempt(line)
        await post.delivering.give_up(str(line.outbox_id))
        await post.worker.record(case)
        assert await post.outbox.redeliver(line.outbox_id)
        assert not await post.outbox.redeliver(line.outbox_id)
        assert (await post.now(line)).attempts == 0
        assert await post.outbox.claim() != []

    assert await post.attempt(line) == OVER

    assert (await post.worker.names(case)).count("ReferralDeliveryFailed") == 2
    assert len({asked["headers"]["webhook-id"] for asked in post.stranger.asked}) == 1


async def test_of_a_person_who_was_erased_nothing_leaves_and_nothing_is_reported(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    (line,) = await post.lines(case)
    await post.worker.keys.destroy(case)

    assert await post.attempt(line) == OVER

    assert (await post.now(line)).status == "dead"
    assert post.stranger.asked == []
    assert await post.worker.pool.fetchval("SELECT count(*) FROM inbox WHERE kind = 'system'") == 0


async def test_a_message_that_was_tampered_with_is_a_dead_letter_and_never_leaves(post: Post) -> None:
    await post.partner("ok")
    case = await post.case()
    (line,) = await post.lines(case)
    await post.worker.owner.execute(
        "UPDATE outbox SET body = overlay(body PLACING '\\x00'::bytea FROM 40 FOR 1) WHERE outbox_id = $1",
        line.outbox_id,
    )

    assert await post.attempt(line) == OVER

    assert (await post.now(line)).last_error == "UNREADABLE"
    assert post.stranger.asked == []


async def tasks(post: Post, case: UUID) -> list[str]:
    state = await post.worker.state(case)
    return [task.task for task in state.tasks.values()]  # type: ignore[union-attr]
