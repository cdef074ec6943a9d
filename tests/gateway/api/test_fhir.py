"""Referrals over FHIR: read, searched and updated under a partner's signature, and never ahead of what was disclosed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from domain.kernel.vocabulary import ReferralKind
from domain.referral import notifications as outgoing
from domain.referral.disclosure import minimum_data
from domain.referral.key_scope import OUTSIDE_SCOPE, KeyScope
from gateway.api.fhir import FHIR_JSON
from gateway.intake.service import Intake
from gateway.partner_access.referral_view import LOOKED_AT
from store.crypto.webhook_signatures import new_secret, sign
from store.log.mapper import open_body
from store.messages.inbox import message_id_for
from store.messages.outbox import Delivery, Outbox
from store.partners import keys as partner_keys
from store.partners import registry as partners
from store.partners.registry import RegisteredPartner
from store.postgres import clock
from tests.gateway.conftest import an_app, rows
from tests.gateway.test_server import serving
from tests.support.databases import Database
from tests.support.journey_steps import a_screened_case
from tests.support.partner_side import PAGES
from tests.support.running_worker import RunningWorker, a_running_worker
from workers.embedded.installation import Servers

pytest.importorskip("fhir.resources", reason="requirements-fhir.lock is not installed")

CLINIC = "clinic-misrata"
"""The partner that gets the medical referral."""


@dataclass
class System:
    """A clinic's FHIR client, and the worker and gateway that it uses."""

    worker: RunningWorker
    client: httpx2.AsyncClient
    intake: Intake
    secret: str
    case: UUID = field(default_factory=uuid4)
    token: str = ""

    async def get(self, path: str, *, key: str | None = None, partner: str = CLINIC, **query: Any) -> httpx2.Response:
        site = str(self.client.base_url).rstrip("/")
        url = httpx2.URL(f"{site}/api/v1/partners/{partner}/fhir{path}", params=query or None)
        signed = sign(key or self.secret, str(uuid4()), int(time.time()), b"GET " + url.raw_path)
        return await self.client.get(url, headers=signed)

    async def put(
        self, task: dict[str, Any], *, message_id: str | None = None, key: str | None = None, **headers: str
    ) -> httpx2.Response:
        body, message_id = json.dumps(task).encode(), message_id or str(uuid4())
        signed = sign(key or self.secret, message_id, int(time.time()), body)
        path = f"/api/v1/partners/{CLINIC}/fhir/Task/{task.get('id')}"
        return await self.client.put(path, content=body, headers={"content-type": FHIR_JSON, **signed, **headers})

    async def task(self) -> dict[str, Any]:
        answer = await self.get(f"/Task/{self.id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    @property
    def id(self) -> str:
        return self.token.replace("_", ".")

    async def says(self, status: str, **changed: Any) -> dict[str, Any]:
        """Reads the Task, changes it, sends it back, and returns the result of the message."""
        task = {**await self.task(), "status": status, "lastModified": "2026-11-24T10:15:00+02:00", **changed}
        own_id = str(uuid4())
        answer = await self.put(task, message_id=own_id)
        assert answer.status_code == 202, answer.text
        assert answer.json()["issue"][0]["diagnostics"].split()[-1].count(".") == 2, "a signed receipt"
        return await self.worker.became(message_id_for(f"partner:{CLINIC}", own_id))


@pytest.fixture
async def system(database: Database, servers: Servers, intake: Intake) -> AsyncIterator[System]:
    async with a_system(database, servers, intake) as system:
        yield system


@asynccontextmanager
async def a_system(database: Database, servers: Servers, intake: Intake) -> AsyncIterator[System]:
    async with a_running_worker(database, servers) as worker, an_app(database) as client:
        found = System(worker, client, intake, new_secret())
        kinds = frozenset({ReferralKind.MEDICAL_ASSESSMENT})
        await partners.add(intake.pool, RegisteredPartner(CLINIC, "Clinic", kinds))
        await partner_keys.add_key(intake.pool, intake.keys.master, CLINIC, found.secret)
        found.case = await a_screened_case(worker)
        await worker.until(found.case, "ReferralSent")
        await worker.rests()
        found.token = await intake.pool.fetchval("SELECT token FROM referral_tokens WHERE partner_id = $1", CLINIC)
        yield found


async def outbox(system: System, name: str) -> str | None:
    query = "SELECT status FROM outbox WHERE partner_id = $1 AND name = $2"
    found: str | None = await system.intake.pool.fetchval(query, CLINIC, name)
    return found


async def line(system: System, name: str) -> Delivery:
    """Returns the newest message of that name to the clinic. No delivery worker runs here, so it stays as recorded."""
    return next(each for each in await Outbox(system.intake.pool).of_partner(CLINIC) if each.name == name)


async def referral_of(system: System) -> str:
    found: str = await system.intake.pool.fetchval(
        "SELECT referral_id FROM referral_tokens WHERE token = $1", system.token
    )
    return found


async def cancelled(system: System) -> None:
    """Cancels the referral. The notice is in the outbox."""
    result = await system.worker.told(
        system.case, "CancelReferral", referral_id=await referral_of(system), reason="not for others to know"
    )
    assert result["status"] == "applied", result


async def listens(system: System) -> None:
    """Gives the clinic a receiver."""
    kinds = frozenset({ReferralKind.MEDICAL_ASSESSMENT})
    await partners.add(system.intake.pool, RegisteredPartner(CLINIC, "Clinic", kinds, receiver_url="https://c.example"))


async def found(system: System, **query: Any) -> tuple[list[str], bool]:
    """Returns the ids that a search finds, and whether there is a further page."""
    answer = await system.get("/Task", **query)
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    more = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
    return [entry["resource"]["id"] for entry in bundle.get("entry", [])], bool(more)


# Reads


async def test_reading_delivers_a_referral_to_a_clinic_without_a_receiver(system: System) -> None:
    assert await outbox(system, "referral.sent") == "pending"

    task = await system.task()

    assert (task["status"], task["code"]["coding"][0]["code"]) == ("requested", "MEDICAL_ASSESSMENT")
    (patient,) = task["contained"]
    assert patient["name"][0]["given"] == ["Aminata"]
    assert ((await line(system, "referral.sent")).status, "nationality" in json.dumps(task)) == ("delivered", False)
    assert (await line(system, "referral.sent")).begun_at is not None
    assert (await system.get(f"/Task/{system.id}")).headers["content-type"] == FHIR_JSON


async def test_reading_also_delivers_what_was_to_be_delivered_by_hand(system: System) -> None:
    await Outbox(system.intake.pool).to_hand((await line(system, "referral.sent")).outbox_id, "NO_RECEIVER")

    assert (await system.task())["status"] == "requested"
    assert await outbox(system, "referral.sent") == "delivered"


async def test_a_task_contains_what_was_sent_even_if_more_is_known_now(system: System) -> None:
    await system.task()
    (row,) = await system.intake.pool.fetch("SELECT * FROM outbox WHERE partner_id = $1", CLINIC)
    ring = await system.intake.keys.keyring(system.case)
    sent = json.loads(open_body(ring, system.case, f"outbox:{row['outbox_id']}", row["body"]) or b"")

    text = json.dumps(await system.task())

    assert sent["person"]["phone"] in text
    assert str(sent["due"]["complete"])[:16] in text


@pytest.mark.parametrize("settle", ["withdraw", "dead"])
async def test_what_never_reached_the_partner_does_not_exist_for_it(system: System, settle: str) -> None:
    outbox, outbox_id = Outbox(system.intake.pool), (await line(system, "referral.sent")).outbox_id
    assert await (outbox.withdraw(outbox_id) if settle == "withdraw" else outbox.dead(outbox_id, "GAVE_UP"))

    assert (await system.get(f"/Task/{system.id}")).status_code == 404
    assert await found(system) == ([], False)


async def test_a_partner_with_a_receiver_can_read_only_what_was_delivered_there(system: System) -> None:
    await listens(system)

    assert (await system.get(f"/Task/{system.id}")).status_code == 404
    await Outbox(system.intake.pool).delivered((await line(system, "referral.sent")).outbox_id)
    assert (await system.get(f"/Task/{system.id}")).status_code == 200


async def test_nothing_is_handed_over_without_consent(system: System) -> None:
    placed = await system.worker.told(system.case, "PlaceHold", hold_type="MEDICAL", reason="she asked us to wait")
    assert placed["status"] == "applied", placed
    withdrawn = await system.worker.told(system.case, "WithdrawConsent", purpose="SHARE_CLINIC")
    assert withdrawn["status"] == "applied", withdrawn

    assert (await system.get(f"/Task/{system.id}")).status_code == 404
    assert await outbox(system, "referral.sent") != "delivered"


async def test_an_ending_shows_when_the_notice_of_it_has_arrived_and_not_before(system: System) -> None:
    await listens(system)
    await Outbox(system.intake.pool).delivered((await line(system, "referral.sent")).outbox_id)
    before = await system.task()
    await cancelled(system)

    assert await system.task() == before

    await Outbox(system.intake.pool).delivered((await line(system, "referral.cancelled")).outbox_id)
    is_over(before, await system.task())


@pytest.mark.parametrize("by_hand", [False, True])
async def test_a_partner_without_a_receiver_learns_of_an_end_by_reading(system: System, *, by_hand: bool) -> None:
    before = await system.task()
    await cancelled(system)
    if by_hand:
        await Outbox(system.intake.pool).to_hand((await line(system, "referral.cancelled")).outbox_id, "NO_RECEIVER")

    is_over(before, await system.task())

    notice = await line(system, "referral.cancelled")
    assert (notice.status, notice.begun_at is not None) == ("delivered", True)
    assert await Outbox(system.intake.pool).by_hand(CLINIC) == []


def is_over(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert after["status"] == "cancelled"
    assert after["meta"]["lastUpdated"] > before["meta"]["lastUpdated"]
    assert not {"contained", "for", "input"} & after.keys()
    assert "not for others" not in json.dumps(after)


async def test_an_error_ends_a_task_in_the_same_words_as_anything_else(system: System) -> None:
    await system.task()
    error = await system.worker.told(
        system.case, "MarkReferralEnteredInError", referral_id=await referral_of(system), reason="the wrong clinic"
    )
    assert error["status"] == "applied", error

    task = await system.task()

    assert (task["status"], task["businessStatus"]["coding"][0]["code"]) == ("cancelled", "CANCELLED")


async def test_a_change_is_read_once_it_has_been_sent(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await system.task()
    assert "+218910000001" in json.dumps(before)
    known = minimum_data
    monkeypatch.setattr(outgoing, "minimum_data", lambda *about: {**known(*about), "phone": "+218910000009"})
    amended = await system.worker.told(system.case, "AmendReferral", referral_id=await referral_of(system))
    assert amended["status"] == "applied", amended

    after = await system.task()

    assert "+218910000009" in json.dumps(after)
    assert after["meta"]["lastUpdated"] > before["meta"]["lastUpdated"]
    assert (await line(system, "referral.amended")).status == "delivered"


async def test_after_its_end_a_task_contains_no_personal_data(system: System) -> None:
    became = await system.says("completed", output=[outcome("NO_SIGNIFICANT_CONDITION")])
    assert became["status"] == "applied"

    task = await system.task()

    assert task["status"] == "completed"
    assert "Aminata" not in json.dumps(task)
    assert not {"contained", "for", "input", "output"} & task.keys()


async def test_after_erasure_the_skeleton_remains(system: System) -> None:
    await system.task()
    await system.intake.keys.destroy(system.case)

    async with an_app_again(system) as later:
        task = await later.task()

    assert task["status"] == "requested"
    assert "Aminata" not in json.dumps(task)


@asynccontextmanager
async def an_app_again(system: System) -> AsyncIterator[System]:
    """Yields the system after a restart of the gateway, so that no key is cached."""
    database = Database("", "", system.worker.dsn)
    async with an_app(database) as client:
        yield System(system.worker, client, system.intake, system.secret, system.case, system.token)


# Access


async def test_foreign_unknown_and_malformed_task_ids_get_the_same_answer(system: System) -> None:
    other, secret = "clinic-sebha", new_secret()
    await partners.add(system.intake.pool, RegisteredPartner(other, "Clinic", frozenset()))
    await partner_keys.add_key(system.intake.pool, system.intake.keys.master, other, secret)
    await system.task()

    foreign = await system.get(f"/Task/{system.id}", partner=other, key=secret)
    unknown = await system.get(f"/Task/{'x' * 22}", partner=other, key=secret)
    nonsense = await system.get("/Task/%00", partner=other, key=secret)

    assert {answer.status_code for answer in (foreign, unknown, nonsense)} == {404}
    assert foreign.text == unknown.text == nonsense.text


async def test_a_key_for_other_kinds_neither_reads_nor_writes(system: System) -> None:
    task, narrow = await system.task(), new_secret()
    scope = KeyScope(frozenset({ReferralKind.CONSULAR_IDENTITY}))
    await partner_keys.add_key(system.intake.pool, system.intake.keys.master, CLINIC, narrow, scope=scope)

    read = await system.get(f"/Task/{system.id}", key=narrow)
    found = await system.get("/Task", key=narrow)
    update = {**task, "status": "completed", "output": [outcome("NO_SIGNIFICANT_CONDITION")]}
    answer = await system.put(update, key=narrow)

    assert (read.status_code, found.json().get("entry", [])) == (404, [])
    assert answer.status_code == 202
    kept = await rows(system.intake, "status, result::json->>'cause'", "kind = 'signal'")
    assert [tuple(row) for row in kept] == [("quarantined", OUTSIDE_SCOPE)]
    assert (await system.task())["status"] == "requested"


async def test_a_read_is_signed_over_its_request_line(system: System) -> None:
    path = f"/api/v1/partners/{CLINIC}/fhir/Task"

    async def status_of(signed_path: str, path: str, at: float = 0, method: bytes = b"GET") -> int:
        body = method + b" " + signed_path.encode()
        signed = sign(system.secret, str(uuid4()), int(time.time() - at), body)
        return (await system.client.get(path, headers=signed)).status_code

    assert await status_of(path, path) == 200
    assert await status_of(path + "?status=requested", path + "?status=requested") == 200
    assert await status_of(path, path + "?status=requested") == 401
    assert await status_of(f"{path}/{system.id}", path) == 401
    assert await status_of(path, path, at=400) == 401
    assert await status_of(path, path, method=b"POST") == 401
    assert (await system.client.get(path)).status_code == 401


async def test_staff_cannot_read_tasks(system: System) -> None:
    answer = await system.client.get(f"/api/v1/partners/{CLINIC}/fhir/Task", headers={"X-Awda-User": "fatima"})
    assert answer.status_code == 401


# Search


async def test_a_search_finds_by_status_and_by_change(system: System) -> None:
    task = await system.task()

    changed = task["meta"]["lastUpdated"]
    assert await found(system) == ([system.id], False)
    assert await found(system, status="requested,accepted") == ([system.id], False)
    assert await found(system, status="completed") == ([], False)
    assert await found(system, _lastUpdated=f"ge{changed}") == ([system.id], False)
    assert await found(system, _lastUpdated=f"lt{changed}") == ([], False)
    assert await found(system, _lastUpdated="ge2199-01-01T00:00:00Z") == ([], False)
    assert await found(system, _after=system.id) == ([], False)


async def test_pages_continue_until_every_task_was_shown(system: System) -> None:
    await asked_again(system)

    first = (await system.get("/Task", _count=1)).json()
    (following,) = [link["url"] for link in first["link"] if link["relation"] == "next"]
    second = (await system.get("/Task", **dict(httpx2.URL(following).params))).json()

    ids = [entry["resource"]["id"] for page in (first, second) for entry in page["entry"]]
    assert len(ids) == len(set(ids)) == 2
    assert [link["relation"] for link in second["link"]] == ["self"]


async def asked_again(system: System) -> None:
    result = await system.worker.told(system.case, "CreateReferral", kind="MEDICAL_ASSESSMENT", partner_id=CLINIC)
    assert result["status"] == "applied", result
    await system.worker.rests()


async def test_tasks_of_the_next_page_are_delivered_only_there(system: System) -> None:
    await asked_again(system)

    _, more = await found(system, _count=1)

    assert more
    letters = await Outbox(system.intake.pool).of_partner(CLINIC)
    assert sorted(each.status for each in letters) == ["delivered", "pending"]


async def test_nothing_is_handed_over_that_a_search_does_not_show(system: System) -> None:
    for query in (
        {"status": "completed"},
        {"_lastUpdated": "ge2199-01-01T00:00:00Z"},
        {"_lastUpdated": "lt2020-01-01T00:00:00Z"},
    ):
        assert await found(system, **query) == ([], False)

    assert await outbox(system, "referral.sent") == "pending"


async def an_hour_later(system: System) -> str:
    """Stops the clock. Returns a minute before it, as a search writes it."""
    at = await clock.now(system.intake.pool) + timedelta(hours=1)
    await system.worker.stands_at(at)
    return (at - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_late_delivery_is_found_by_a_search_for_changes(system: System) -> None:
    since = await an_hour_later(system)

    assert await found(system, _lastUpdated=f"ge{since}") == ([system.id], False)


HIDDEN = {
    "a note": ("AddNote", {"note": "she called"}),
    "fear": ("RecordNonRefoulementScreen", {"outcome": "CLAIM"}),
    "a hold": ("PlaceHold", {"hold_type": "PROTECTION", "reason": "x"}),
    "another consent taken back": ("WithdrawConsent", {"purpose": "SHARE_EMBASSY"}),
}


@pytest.mark.parametrize("what", HIDDEN)
async def test_no_search_tells_that_something_happened_in_a_case(system: System, what: str) -> None:
    """Neither do the links to further pages: only what the clinic sent or was sent appears as a change."""
    for _ in range(LOOKED_AT):
        await asked_again(system)
    assert len((await found(system))[0]) == LOOKED_AT + 1, "more than are examined for a page of one"
    since = await an_hour_later(system)
    quiet = await found(system, _count=1, _lastUpdated=f"ge{since}")
    name, fields = HIDDEN[what]

    result = await system.worker.told(system.case, name, **fields)

    assert result["status"] == "applied", result
    assert await found(system, _count=1, _lastUpdated=f"ge{since}") == quiet == ([], False)


async def test_an_end_that_was_not_told_yet_makes_nothing_new(system: System) -> None:
    await listens(system)
    await Outbox(system.intake.pool).delivered((await line(system, "referral.sent")).outbox_id)
    since = await an_hour_later(system)

    await cancelled(system)
    assert await found(system, _count=1, _lastUpdated=f"ge{since}") == ([], False)
    await Outbox(system.intake.pool).delivered((await line(system, "referral.cancelled")).outbox_id)
    assert await found(system, _count=1, _lastUpdated=f"ge{since}") == ([system.id], False)


async def test_the_partners_own_signal_is_found_as_a_change(system: System) -> None:
    await system.task()
    since = await an_hour_later(system)

    assert (await system.says("accepted"))["status"] == "applied"

    assert await found(system, _lastUpdated=f"ge{since}") == ([system.id], False)


@pytest.mark.parametrize(
    "query",
    [
        {"status": "finished"},
        {"_lastUpdated": "yesterday"},
        {"_lastUpdated": "ge2026-11-23"},
        {"patient": "x"},
        {"_count": "0"},
    ],
)
async def test_a_search_with_unknown_parameters_is_rejected(
    client: httpx2.AsyncClient, intake: Intake, query: dict[str, str]
) -> None:
    secret = new_secret()
    await partners.add(intake.pool, RegisteredPartner(CLINIC, "Clinic", frozenset()))
    await partner_keys.add_key(intake.pool, intake.keys.master, CLINIC, secret)
    url = httpx2.URL(f"http://127.0.0.1:8600/api/v1/partners/{CLINIC}/fhir/Task", params=query)
    signed = sign(secret, "m-1", int(time.time()), b"GET " + url.raw_path)

    answer = await client.get(url, headers=signed)

    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/invalid-query"


# Updates


def outcome(code: str) -> dict[str, Any]:
    return {"type": {"coding": [{"code": "outcome_code"}]}, "valueCode": code}


async def test_a_referral_is_completed_by_a_system_that_uses_only_fhir(system: System) -> None:
    for status, event in (
        ("received", "ReferralAcknowledged"), ("accepted", "ReferralAccepted"), ("in-progress", "ReferralStarted"),
        ("in-progress", "ReferralProgressReported"), ("on-hold", "ReferralPaused"), ("in-progress", "ReferralResumed"),
    ):  # fmt: skip
        became = await system.says(status, statusReason={"text": "because"})
        assert became["status"] == "applied", (status, became)
        assert (await system.worker.names(system.case)).count(event) >= 1, event
        assert (await system.task())["status"] == status
    examined = {"type": {"text": "examined_at"}, "valueDateTime": "2026-11-24T09:00:00+02:00"}
    became = await system.says("completed", output=[outcome("NO_SIGNIFICANT_CONDITION"), examined])

    assert became["status"] == "applied", became
    names = await system.worker.names(system.case)
    assert {"ReferralCompleted", "ClearanceGranted"} <= set(names)
    assert "PartnerSignalIgnored" not in names


async def test_an_update_sent_again_says_what_it_said_the_first_time(system: System) -> None:
    task = {**await system.task(), "status": "in-progress"}

    answers = []
    for _ in range(2):
        answers.append(await system.put(task, message_id="m-1"))
        await system.worker.rests()

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert (await system.worker.names(system.case)).count("ReferralStarted") == 1
    other = await system.put({**task, "status": "failed"}, message_id="m-1")
    assert other.status_code == 409


async def test_a_withdrawal_over_fhir_is_recorded_whatever_the_task_says(system: System) -> None:
    word = {"coding": [{"system": "urn:awda:signal-type", "code": "WITHDRAWAL_REPORTED"}]}
    became = await system.says("requested", businessStatus=word)

    assert became["status"] == "applied", became
    assert "HoldPlaced" in await system.worker.names(system.case)


async def test_whether_there_is_such_a_referral_cannot_be_read_from_the_answer(system: System) -> None:
    task = {**await system.task(), "status": "accepted"}

    known = await system.put(task)
    unknown = await system.put({**task, "id": "y" * 22})

    assert known.status_code == unknown.status_code == 202
    words = [answer.json()["issue"][0]["diagnostics"].split()[0] for answer in (known, unknown)]
    assert words == ["received;", "received;"]
    assert known.headers.keys() == unknown.headers.keys()


async def test_an_invalid_task_is_rejected_with_the_pointer_to_the_error(system: System) -> None:
    task = await system.task()
    for changed, pointer in (
        ({"status": "requested"}, "/status"),
        ({"intent": None}, "/intent"),
        ({"colour": "blue"}, "/colour"),
        ({"lastModified": "2026-11-24"}, "/lastModified"),
        ({"status": "completed", "output": [outcome("no significant condition")]}, "/outcome_code"),
        ({"status": "accepted", "output": [{"type": {"text": "x"}}]}, "/output/0"),
        ({"businessStatus": None, "status": "draft"}, "/status"),
    ):
        answer = await system.put({**task, "status": "accepted", **changed})
        assert answer.status_code == 422, (changed, answer.text)
        assert pointer in [error["pointer"] for error in answer.json()["errors"]], changed
        assert "Okafor" not in answer.text
    assert await rows(system.intake, where="kind = 'signal'") == []


async def test_other_media_types_wrong_signatures_and_large_bodies_are_rejected(system: System) -> None:
    task = {**await system.task(), "status": "accepted"}

    assert (await system.put(task, **{"content-type": "text/plain"})).status_code == 415
    assert (await system.put(task, key=new_secret())).status_code == 401
    assert (await system.put({**task, "description": "x" * 70_000})).status_code == 413


async def test_the_capability_statement_is_the_same_for_every_partner(client: httpx2.AsyncClient) -> None:
    known, unknown = [await client.get(f"/api/v1/partners/{name}/fhir/metadata") for name in (CLINIC, "nobody")]

    assert known.status_code == 200
    assert known.text == unknown.text
    (resource,) = known.json()["rest"][0]["resource"]
    assert {each["code"] for each in resource["interaction"]} == {"read", "search-type", "update"}


# Without the optional component

WITHOUT = """
import sys
sys.modules["fhir"] = None
from gateway.app import create_app, GatewaySettings
from gateway.api.fhir import library
from gateway.http.problems import PROBLEMS, ProblemError
app = create_app(GatewaySettings("postgresql://nowhere", b"x" * 32))
assert any("fhir" in path for path in app.openapi()["paths"])
try:
    library()
except ProblemError as error:
    print(PROBLEMS[error.slug][0], error.detail)
"""


@pytest.mark.integration
def test_without_the_extra_the_gateway_runs_and_says_what_is_missing() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("501 ")
    assert "requirements-fhir.lock" in done.stdout


async def test_without_the_extra_the_answer_is_a_problem_that_names_it(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.api import fhir

    fhir.library.cache_clear()
    monkeypatch.setitem(sys.modules, "fhir.resources.R4B.task", None)
    answer = await client.get(f"/api/v1/partners/{CLINIC}/fhir/Task/{'x' * 22}")
    fhir.library.cache_clear()

    assert answer.status_code == 501
    assert answer.headers["content-type"] == "application/problem+json"
    assert "requirements-fhir.lock" in answer.json()["detail"]


# The documentation page


async def test_the_requests_on_the_page_work_as_printed(database: Database, system: System) -> None:
    page = (PAGES / "fhir.md").read_text(encoding="utf-8")
    searches = [
        path for path in re.findall(r"GET (?:/api/v1/partners/clinic-tripoli/fhir)?(/[^\s`]+)", page) if "{" not in path
    ]
    (block,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    async with serving(database) as (client, _, _):
        served = replace(system, client=client)
        for path in searches:
            answer = await served.get(path)
            assert answer.status_code == 200, (path, answer.text)
        assert (await served.task())["status"] == "requested"
        own_id = str(uuid4())
        answer = await served.put({**json.loads(block), "id": served.id}, message_id=own_id)
        assert answer.status_code == 202, answer.text
        became = await system.worker.became(message_id_for(f"partner:{CLINIC}", own_id))

    assert searches == [
        "/Task?status=requested,received&_lastUpdated=ge2026-11-23T08:00:00Z&_count=20",
        "/metadata",
        "/Task?status=requested",
    ]
    assert became["status"] == "applied", became
    assert "ReferralCompleted" in await system.worker.names(system.case)
