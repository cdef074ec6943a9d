"""Messages that could not be processed: their sender is informed, staff see them, and a person decides about them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Final, cast
from uuid import UUID, uuid4

import httpx2
import pytest

from audit.verification.verify import verify
from domain.case.aggregate import Case
from domain.kernel.context import Context
from domain.kernel.event import Event
from domain.kernel.message import Message
from domain.streams import KINDS
from store.messages.inbox import Inbox, IncomingMessage
from store.projections.projector import Projector
from tests.gateway.api.test_quarantine import QuarantineSetup, a_place
from tests.support.databases import Database
from workers.embedded.installation import Servers

WITHDRAWAL: Final = {"message": "WithdrawVoluntaryReturn", "channel": "PHONE"}


@pytest.fixture
async def place(database: Database, servers: Servers) -> AsyncIterator[QuarantineSetup]:
    async with a_place(database, servers) as place:
        yield place


def break_rules(place: QuarantineSetup, kind: str, *names: str) -> None:
    """Makes the rules of these messages crash from now on; without names, repairs all."""
    real = KINDS[kind]

    def decide(state: Any, message: Message, ctx: Context) -> list[Event]:
        if type(message).__name__ in names:
            raise ZeroDivisionError
        return real.decide(state, message, ctx)

    place.worker.recording.kinds = {**KINDS, kind: replace(real, decide=decide)}


async def sent(place: QuarantineSetup, body: dict[str, Any], key: str = "one") -> httpx2.Response:
    headers = {"Idempotency-Key": key, "Prefer": "wait=20"}
    return await place.client.post(f"/api/v1/cases/{await place.number()}/messages", json=body, headers=headers)


async def doubts(place: QuarantineSetup) -> Sequence[UUID]:
    state = await place.worker.state(place.case)
    assert isinstance(state, Case)
    return list(state.doubts)


async def findings(place: QuarantineSetup) -> list[str]:
    await place.worker.rests()
    await Projector(place.worker.pool).catch_up()
    report = await verify(place.worker.pool, place.worker.keys, place.worker.client, workflows=False, patience_s=0.5)
    return [f"{finding.kind} {finding.detail}" for finding in report.findings]


async def test_the_sender_of_a_quarantined_message_learns_that_it_has_no_effect(place: QuarantineSetup) -> None:
    break_rules(place, "case", "WithdrawVoluntaryReturn")
    answer = await sent(place, WITHDRAWAL)

    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    problem = answer.json()
    assert (problem["type"], problem["cause"]) == ("/problems/quarantined", "RULE_CRASHED")
    assert await doubts(place) == [UUID(problem["message_id"])]


async def test_what_was_not_taken_in_is_shown_named_by_verify_and_taken_in_once_the_rule_is_mended(
    place: QuarantineSetup,
) -> None:
    break_rules(place, "case", "WithdrawVoluntaryReturn")
    message_id = UUID((await sent(place, WITHDRAWAL)).json()["message_id"])

    (shown,) = await place.waiting()
    assert (shown["message_id"], shown["kind"], shown["cause"]) == (str(message_id), "staff", "RULE_CRASHED")
    assert shown["may"] == ["SET_ASIDE", "AGAIN"]
    assert [str(message_id) in each and each.startswith("quarantine") for each in await findings(place)] == [True]

    break_rules(place, "case")
    assert (await place.decides(message_id, "AGAIN")).status_code == 200
    await place.becomes(message_id, "applied")

    assert (await doubts(place), await place.waiting(), await findings(place)) == ([], [], [])
    names = await place.worker.names(place.case)
    assert "VoluntaryReturnWithdrawn" in names
    assert names.count("QuarantinedMessageResolved") == 2


async def test_a_message_that_crashes_again_is_quarantined_again(place: QuarantineSetup) -> None:
    break_rules(place, "case", "WithdrawVoluntaryReturn")
    message_id = UUID((await sent(place, WITHDRAWAL)).json()["message_id"])
    before = (await place.waiting())[0]

    assert (await place.decides(message_id, "AGAIN")).status_code == 200
    await place.worker.rests()
    await place.becomes(message_id, "quarantined")

    assert await doubts(place) == [message_id]
    assert [each["message_id"] for each in await place.waiting()] == [before["message_id"]]


async def test_a_message_set_aside_no_longer_counts_and_the_decision_is_in_the_case(place: QuarantineSetup) -> None:
    break_rules(place, "case", "AddNote")
    message_id = UUID((await sent(place, {"message": "AddNote", "note": "x"})).json()["message_id"])

    assert (await place.decides(message_id, "SET_ASIDE")).status_code == 200

    assert (await doubts(place), await place.waiting(), await findings(place)) == ([], [], [])
    assert (await place.worker.names(place.case))[-1] == "QuarantinedMessageResolved"


async def test_a_message_that_a_movement_cannot_accept_is_listed_and_may_be_sent_to_it_again(
    place: QuarantineSetup,
) -> None:
    plan = {
        "number": "MOV-2026-1214-MJI",
        "origin": "MJI",
        "destination": "LOS",
        "capacity": 2,
        "std": "2027-12-14T09:00:00Z",
        "sta": "2027-12-14T14:00:00Z",
    }
    flight = await place.worker.begin("PlanMovement", kind="movement", called=plan["number"], **plan)  # type: ignore[arg-type]
    assert flight.stream_id
    await place.worker.became(flight.message_id)
    break_rules(place, "movement", "ConfirmMovement")
    order = await place.worker.say(flight.stream_id, "ConfirmMovement", carrier="Buraq")
    await place.becomes(order.message_id, "quarantined")

    (shown,) = await place.waiting()
    assert (shown["message_id"], shown["may"]) == (str(order.message_id), ["SET_ASIDE", "AGAIN"])
    assert len(await findings(place)) == 1
    break_rules(place, "movement")
    assert (await place.decides(order.message_id, "AGAIN")).status_code == 200
    await place.becomes(order.message_id, "applied")
    assert (await place.waiting(), await findings(place)) == ([], [])


async def test_a_tampered_body_can_only_be_set_aside(place: QuarantineSetup) -> None:
    await place.worker.rests()
    note = IncomingMessage(uuid4(), place.case, "staff", "staff.message", b"{}", "staff:fatima", "fatima")
    async with place.worker.owner.acquire() as hand, hand.transaction():
        receipt = await Inbox(cast("Any", hand), place.worker.keys).put(note)
        await hand.execute("SET LOCAL session_replication_role = replica")
        changed = "UPDATE inbox SET body = overlay(body placing '\\x00' from 40) WHERE message_id = $1"
        await hand.execute(changed, receipt.message_id)
    await place.becomes(receipt.message_id, "quarantined", "UNREADABLE_BODY")

    (shown,) = await place.waiting()
    assert (shown["message_id"], shown["may"]) == (str(receipt.message_id), ["SET_ASIDE"])
    assert await doubts(place) == [receipt.message_id]
    assert (await place.decides(receipt.message_id, "SET_ASIDE")).status_code == 200
    assert (await doubts(place), await place.waiting()) == ([], [])
