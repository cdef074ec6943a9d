"""Quarantined messages: assigned automatically when their token becomes known, or decided by a person, once, on record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from audit.verification.verify import verify
from domain.case.aggregate import Case
from domain.case.referral import Referral
from gateway.intake.service import Intake
from store.crypto.webhook_signatures import new_secret
from store.messages.inbox import message_id_for
from store.messages.quarantine import Quarantine, desk_of
from store.partners.keys import add_key
from store.partners.registry import RegisteredPartner, add
from store.projections.projector import Projector
from tests.gateway.api.test_partner_inbox import posted
from tests.gateway.conftest import REGISTRATION, Clinic, an_app, rows
from tests.support import journey_steps as steps
from tests.support.databases import Database
from tests.support.journey_steps import a_screened_case
from tests.support.running_worker import RunningWorker, a_running_worker
from workers.embedded.installation import Servers

GOOD, BAD = "NO_SIGNIFICANT_CONDITION", "UNFIT_LONG_TERM"

CLINIC = "clinic-misrata"

MEDICAL = "MEDICAL_ASSESSMENT"


@dataclass
class QuarantineSetup:
    """A running worker, a gateway, and a clinic with a referral of a screened case."""

    worker: RunningWorker
    client: httpx2.AsyncClient
    clinic: Clinic
    case: UUID
    token: str

    async def says(self, *, token: str | None = None, **data: Any) -> UUID:
        """Sends a signal of the clinic and returns the id of its message."""
        event = self.clinic.event(data={"referral_token": token or self.token, "outcome_code": GOOD, **data})
        answer = await posted(self.client, self.clinic, event)
        assert answer.status_code == 202, answer.text
        return message_id_for(f"partner:{CLINIC}", event["id"])

    async def decides(self, message_id: UUID, decision: str, key: str | None = None, **more: Any) -> httpx2.Response:
        body = {"decision": decision, "reason": "the clinic says so", **more}
        headers = {"Idempotency-Key": key or uuid4().hex, "Prefer": "wait=20", "X-Awda-User": "fatima"}
        return await self.client.post(f"/api/v1/quarantine/{message_id}", json=body, headers=headers)

    async def waiting(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.client.get("/api/v1/quarantine")).json()["waiting"]
        return found

    async def referral(self, case: UUID | None = None) -> Referral:
        return await self.worker.asked(case or self.case, MEDICAL)

    async def number(self, case: UUID | None = None) -> str:
        return str(
            await self.worker.pool.fetchval("SELECT number FROM streams WHERE stream_id = $1", case or self.case)
        )

    async def becomes(self, message_id: UUID, status: str, cause: str | None = None) -> None:
        """Waits until a message has this status; it may have had another one before."""
        async with asyncio.timeout(30):
            while not _is(await self.worker.became(message_id), status, cause):
                await asyncio.sleep(0.05)

    async def rows(self, what: str, where: str = "kind = 'signal'") -> list[Any]:
        return list(await self.worker.pool.fetch(f"SELECT {what} FROM inbox WHERE {where} ORDER BY arrival"))  # noqa: S608

    async def balances(self) -> None:
        """Checks that the accounts add up and that `verify` finds nothing."""
        days = (await self.client.get(f"/api/v1/partners/{CLINIC}/accounts")).json()["days"]
        assert [day["unaccounted"] for day in days] == [0] * len(days)
        await self.worker.rests()
        await Projector(self.worker.pool).catch_up()
        report = await verify(self.worker.pool, self.worker.keys, self.worker.client, workflows=False, patience_s=0.5)
        assert str(report) == "clean"


def _is(became: dict[str, Any], status: str, cause: str | None) -> bool:
    return became["status"] == status and (cause is None or became.get("cause") == cause)


@asynccontextmanager
async def a_place(database: Database, servers: Servers) -> AsyncIterator[QuarantineSetup]:
    async with a_running_worker(database, servers) as worker, an_app(database) as client:
        case = await a_screened_case(worker)
        secret = new_secret()
        await add(worker.pool, RegisteredPartner(CLINIC, "Clinic", frozenset()))
        await add_key(worker.pool, worker.keys.master, CLINIC, secret)
        place = QuarantineSetup(worker, client, Clinic(CLINIC, secret, "", case), case, "")
        place.token = await the_token(place, case)
        yield place


async def the_token(place: QuarantineSetup, case: UUID) -> str:
    """Returns the token of the clinic's referral, once it was sent."""
    async with asyncio.timeout(30):
        while not (token := await place.worker.pool.fetchval(_TOKEN, case, CLINIC)):
            await asyncio.sleep(0.05)
    return str(token)


_TOKEN = "SELECT token FROM referral_tokens WHERE stream_id = $1 AND partner_id = $2"


@pytest.fixture
async def place(database: Database, servers: Servers) -> AsyncIterator[QuarantineSetup]:
    async with a_place(database, servers) as place:
        yield place


# Early signals


def a_token_to_come() -> str:
    """Returns an unknown token; ``appears`` registers it for the case's medical referral."""
    return f"early-{uuid4().hex[:16]}"


async def appears(place: QuarantineSetup, token: str, partner_id: str = CLINIC) -> None:
    """Registers the token for the case's referral, as after a restore."""
    referral = await place.referral()
    await place.worker.pool.execute(
        "INSERT INTO referral_tokens (token, stream_id, referral_id, partner_id) VALUES ($1, $2, $3, $4)",
        token, place.case, str(referral.referral_id), partner_id,
    )  # fmt: skip


async def test_an_early_signal_is_applied_when_its_token_is_known_and_keeps_its_time(place: QuarantineSetup) -> None:
    owner = place.worker.owner
    async with owner.acquire() as hand, hand.transaction():
        await hand.execute("SET LOCAL session_replication_role = replica")
        await hand.execute("DELETE FROM referral_tokens WHERE token = $1", place.token)
    message_id = await place.says()
    received = (await place.rows("received_at"))[0]["received_at"]
    await place.balances()
    assert [row["cause"] for row in await place.waiting()] == ["UNKNOWN_TOKEN"]

    await appears(place, place.token)

    await place.becomes(message_id, "applied")
    completed = [event for event in await place.worker.log(place.case) if event.name == "ReferralCompleted"]
    assert [event.timestamp for event in completed] == [received]
    assert await place.waiting() == []
    await place.balances()


async def test_an_early_signal_is_given_to_its_case_once_whoever_finds_it(place: QuarantineSetup) -> None:
    token = a_token_to_come()
    message_id = await place.says(token=token)
    finders = [Quarantine(place.worker.pool, place.worker.keys) for _ in range(8)]
    await appears(place, token)

    ready = [await each.ready(message_id, place.case) for each in finders]
    released = await asyncio.gather(*(each.release(one) for each, one in zip(finders, ready, strict=True) if one))

    assert released.count(True) <= 1, "the relay may have been faster, and then no other takes it"
    # the case itself does not know this token, so a person must review it: but it was assigned, once
    await place.becomes(message_id, "quarantined", "UNKNOWN_REFERRAL")
    await place.balances()


async def test_a_token_of_another_partner_releases_no_signal(place: QuarantineSetup) -> None:
    token = a_token_to_come()
    message_id = await place.says(token=token)
    await appears(place, token, "embassy-nga")

    assert await Quarantine(place.worker.pool, place.worker.keys).release_early() == set()
    assert (await place.worker.became(message_id))["status"] == "quarantined"


async def test_a_signal_that_was_set_aside_stays_so_when_its_token_is_known(place: QuarantineSetup) -> None:
    token = a_token_to_come()
    message_id = await place.says(token=token)
    assert (await place.decides(message_id, "SET_ASIDE")).status_code == 200
    await appears(place, token)

    assert await Quarantine(place.worker.pool, place.worker.keys).release_early() == set()
    assert (await place.worker.became(message_id))["status"] == "quarantined"
    await place.balances()


async def test_the_repeat_of_an_early_signal_is_the_same_message_before_and_after(place: QuarantineSetup) -> None:
    event = place.clinic.event(data={"referral_token": "early-" + "x" * 16})
    first = await posted(place.client, place.clinic, event)
    await appears(place, "early-" + "x" * 16)
    await place.worker.until(place.case, "ReferralSent")
    second = await posted(place.client, place.clinic, event)

    assert (second.status_code, second.json()) == (202, first.json())
    assert len(await place.rows("status")) == 1


async def test_an_early_message_of_an_erased_case_is_not_kept_waiting(intake: Intake, clinic: Clinic) -> None:
    await intake.partners.receive(
        clinic.partner_id, *clinic.signed(clinic.event(data={"referral_token": "early-" + "x" * 16}))
    )
    await intake.pool.execute(
        "INSERT INTO referral_tokens VALUES ($1, $2, 'r', $3)", "early-" + "x" * 16, clinic.case, clinic.partner_id
    )
    await intake.keys.destroy(clinic.case)

    quarantine = Quarantine(intake.pool, intake.keys)
    assert await quarantine.release_early() == set()
    assert [doubt.cause for doubt in await quarantine.doubts()] == ["ERASED"]
    assert not await intake.pool.fetchval("SELECT EXISTS (SELECT FROM inbox WHERE token_hash IS NOT NULL)")


async def test_no_token_can_be_read_from_the_stored_hash(intake: Intake, clinic: Clinic) -> None:
    token = "early-" + "x" * 16
    await intake.partners.receive(clinic.partner_id, *clinic.signed(clinic.event(data={"referral_token": token})))
    (row,) = await rows(intake, "token_hash", "token_hash IS NOT NULL")

    assert row["token_hash"] not in (sha256(token.encode()).digest(), token.encode())


# Decisions


async def test_a_stray_signal_is_assigned_to_a_referral_of_its_partner_and_applied(place: QuarantineSetup) -> None:
    message_id = await place.says(token="mistyped-" + "x" * 12)
    referral = await place.referral()

    answer = await place.decides(
        message_id, "ASSIGN", case_number=await place.number(), referral_id=str(referral.referral_id)
    )

    assert answer.status_code == 200, answer.text
    await place.becomes(message_id, "applied")
    assert (await place.referral()).outcome == GOOD
    (event,) = await place.worker.log(desk_of(CLINIC))
    assert event.name == "SignalAssigned"
    assert event.facts["kept_message"] == message_id
    assert event.facts["reason"] == "the clinic says so"
    assert await place.waiting() == []
    await place.balances()


async def test_a_stray_signal_is_set_aside_with_a_reason_and_has_no_effect(place: QuarantineSetup) -> None:
    message_id = await place.says(token="mistyped-" + "x" * 12)

    answer = await place.decides(message_id, "SET_ASIDE")

    assert answer.status_code == 200, answer.text
    assert [event.name for event in await place.worker.log(desk_of(CLINIC))] == ["SignalSetAside"]
    assert await place.waiting() == []
    assert (await place.referral()).status == "SENT"
    await place.balances()


async def test_a_decision_sent_twice_is_one_decision(place: QuarantineSetup) -> None:
    message_id = await place.says(token="mistyped-" + "x" * 12)

    first, again = [await place.decides(message_id, "SET_ASIDE", key="k-1") for _ in range(2)]

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["message_id"] == first.json()["message_id"]
    assert len(await place.worker.log(desk_of(CLINIC))) == 1


async def test_of_two_people_who_decide_at_once_one_decides(place: QuarantineSetup) -> None:
    message_id = await place.says(token="mistyped-" + "x" * 12)

    answers = await asyncio.gather(*(place.decides(message_id, "SET_ASIDE") for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
    assert len(await place.worker.log(desk_of(CLINIC))) == 1
    assert len(await place.rows("status", f"stream_id = '{desk_of(CLINIC)}'")) == 1


async def test_a_signal_that_a_case_could_not_place_may_be_sent_to_it_again(place: QuarantineSetup) -> None:
    token = a_token_to_come()
    message_id = await place.says(token=token)
    await appears(place, token)
    await place.becomes(message_id, "quarantined", "UNKNOWN_REFERRAL")

    assert [row["may"] for row in await place.waiting()] == [["ASSIGN", "SET_ASIDE", "AGAIN"]]
    assert (await place.decides(message_id, "AGAIN")).status_code == 200

    async with asyncio.timeout(20):
        while [row["cause"] for row in await place.waiting()] != ["UNKNOWN_REFERRAL"]:
            await asyncio.sleep(0.05)
    assert [event.name for event in await place.worker.log(desk_of(CLINIC))] == ["SignalTakenUpAgain"]
    referral = str((await place.referral()).referral_id)
    await place.decides(message_id, "ASSIGN", case_number=await place.number(), referral_id=referral)
    await place.becomes(message_id, "applied")
    await place.balances()


async def test_a_conflicting_outcome_is_decided_in_its_case(place: QuarantineSetup) -> None:
    await place.becomes(await place.says(), "applied")
    doubtful = await place.says(outcome_code=BAD)
    await place.becomes(doubtful, "quarantined", "CONFLICTING_OUTCOME")
    (row,) = await place.waiting()
    assert (row["cause"], row["case_number"], row["may"]) == (
        "CONFLICTING_OUTCOME",
        await place.number(),
        ["AMEND", "IGNORE"],
    )

    answer = await place.decides(doubtful, "AMEND")

    assert answer.status_code == 200, answer.text
    assert (await place.referral()).outcome == BAD
    assert await place.waiting() == []
    await Quarantine(place.worker.pool, place.worker.keys).note_resolved()
    assert [row[0] for row in await place.rows("resolved_by IS NOT NULL", "status = 'quarantined'")] == [True]
    await place.balances()


async def test_a_second_body_under_one_id_is_shown_beside_the_first_and_decided(place: QuarantineSetup) -> None:
    event = place.clinic.event(data={"referral_token": place.token})
    await posted(place.client, place.clinic, event)
    await place.worker.became(message_id_for(f"partner:{CLINIC}", event["id"]))
    await posted(place.client, place.clinic, {**event, "data": {**event["data"], "outcome_code": BAD}})
    async with asyncio.timeout(20):
        while not (waiting := await place.waiting()):
            await asyncio.sleep(0.05)

    (row,) = waiting
    shown = (await place.client.get(f"/api/v1/quarantine/{row['message_id']}")).json()
    assert (row["cause"], row["may"]) == ("CONFLICTING_DUPLICATE", ["AMEND", "IGNORE"])
    assert (shown["first"]["said"]["outcome_code"], shown["said"]["outcome_code"]) == (GOOD, BAD)
    assert shown["first"]["status"] == "applied"
    assert (await place.decides(UUID(row["message_id"]), "IGNORE")).status_code == 200
    assert (await place.referral()).outcome == GOOD
    assert await place.waiting() == []
    await place.balances()


WRONG: list[Any] = [
    ({"decision": "AMEND"}, 422, "/decision"),
    ({"decision": "AGAIN"}, 422, "/decision"),
    ({"decision": "ASSIGN"}, 422, "/case_number"),
    ({"decision": "ASSIGN", "case_number": "LBY-2026-999999"}, 422, "/case_number"),
    ({"decision": "ASSIGN", "case_number": "%"}, 422, "/case_number"),
    ({"decision": "FORGET"}, 422, "/decision"),
    ({"decision": "SET_ASIDE", "reason": ""}, 422, "/reason"),
    ({"decision": "SET_ASIDE", "colour": "blue"}, 422, "/colour"),
    ({"decision": 7}, 422, "/decision"),
]


async def test_an_impossible_decision_is_refused_by_pointer_and_changes_nothing(
    client: httpx2.AsyncClient, intake: Intake, clinic: Clinic, subtests: pytest.Subtests
) -> None:
    await posted(client, clinic, clinic.event(data={"referral_token": "x" * 22}))
    (row,) = await rows(intake, "message_id", "kind = 'signal'")
    path = f"/api/v1/quarantine/{row['message_id']}"

    for body, status, where in WRONG:
        with subtests.test(body=str(body)):
            decision = {"reason": "because", **body}
            answer = await client.post(path, json=decision, headers={"Idempotency-Key": uuid4().hex})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (status, where)

    assert (await client.post(path, json={"decision": "SET_ASIDE", "reason": "x"})).status_code == 400
    assert len((await client.get("/api/v1/quarantine")).json()["waiting"]) == 1
    headers = {"Idempotency-Key": "k"}
    unknown = await client.post(
        f"/api/v1/quarantine/{uuid4()}", json={"decision": "SET_ASIDE", "reason": "x"}, headers=headers
    )
    assert unknown.status_code == 404
    assert (await client.get(f"/api/v1/quarantine/{uuid4()}")).status_code == 404


async def test_a_signal_is_never_assigned_to_another_partners_referral(place: QuarantineSetup) -> None:
    message_id = await place.says(token="mistyped-" + "x" * 12)
    state = await place.worker.state(place.case)
    assert isinstance(state, Case)
    theirs = next(each for each in state.referrals.values() if each.partner_id != CLINIC)

    answer = await place.decides(
        message_id, "ASSIGN", case_number=await place.number(), referral_id=str(theirs.referral_id)
    )

    assert answer.json()["errors"][0]["pointer"] == "/referral_id"


async def test_swapped_results_are_shown_together_and_never_copied(place: QuarantineSetup) -> None:
    other_person = {**REGISTRATION["person"], "given_names": "Blessing", "date_of_birth": "1999-01-01"}
    first = place.case
    second = await another_case(place, other_person)
    theirs = {"given_name": "Blessing", "year_of_birth": 1999}
    ours = {"given_name": "Aminata", "year_of_birth": 1996}
    one = await place.says(subject_check=theirs)
    other = await place.says(token=(await place.referral(second)).token, subject_check=ours)
    lone = await place.says(subject_check={"given_name": "Nobody"})
    for each in (one, other, lone):
        await place.becomes(each, "quarantined", "IDENTITY_MISMATCH")

    pairs = {row["message_id"]: row["pair"] for row in await place.waiting()}
    shown = (await place.client.get(f"/api/v1/quarantine/{one}")).json()

    assert pairs == {str(one): str(other), str(other): str(one), str(lone): None}
    assert shown["said"]["subject_check"]["given_name"] == "Blessing"
    assert shown["other"]["said"]["subject_check"]["given_name"] == "Aminata"
    assert shown["other"]["case_number"] == await place.number(second)
    assert {(await place.referral(case)).outcome for case in (first, second)} == {None}


async def another_case(place: QuarantineSetup, person: dict[str, Any]) -> UUID:
    registration = {**steps.REGISTRATION, "person": person}
    begun = await place.worker.begin(**registration)
    assert begun.stream_id is not None
    await place.worker.until(begun.stream_id, "ScreeningStarted")
    for name, fields in steps.SCREENING:
        await place.worker.say(begun.stream_id, name, **fields)
    await place.worker.told(begun.stream_id, "CompleteScreening")
    await the_token(place, begun.stream_id)
    return begun.stream_id
