"""The mapping between referrals and FHIR Tasks, row by row. Every resource is validated with FHIR's own models."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.task import Task
from hypothesis import given
from hypothesis import strategies as st

from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.vocabulary import TERMINAL, ReferralKind, ReferralStatus, SignalType
from domain.referral.disclosure import MAY_SEE, Recipient
from gateway.intake.validation import schema_errors
from gateway.partner_access.fhir_mapping import (
    IN_PATIENT,
    SIGNAL,
    SIGNAL_OF,
    STATUS_OF,
    bundle_of,
    flaws_in,
    goes_on,
    id_of,
    outcome_of,
    signal_of,
    task_of,
    token_of,
)
from gateway.partner_access.referral_view import PartnerReferral
from tests.support.partner_side import PAGES

pytest.importorskip("fhir.resources", reason="the extra is not installed: requirements-fhir.lock")

TOKEN = "Vb9cW4nVt7m2_JqkXo1-3g"

PAGE = (PAGES / "fhir.md").read_text(encoding="utf-8")

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)

PERSON: dict[str, Any] = {
    "family_name": "Okafor",
    "given_names": "Aminata",
    "name_native_script": "أميناتا",
    "sex": "FEMALE",
    "date_of_birth": "1996-04-02",
    "dob_precision": "DAY",
    "nationality": "NGA",
    "phone": "+218910000001",
    "languages": ["ha", "en"],
    "document": "LP-100",
    "flight": {"movement": "MOV-2026-1214-MJI-LOS-01", "std": "2026-12-14T09:00:00+00:00"},
    "item": "shop",
}

SENT: dict[str, Any] = {
    "referral_token": TOKEN,
    "kind": "MEDICAL_ASSESSMENT",
    "urgent": True,
    "sent_at": "2026-11-23T08:00:00+00:00",
    "due": {"ack": "2026-11-25T15:00:00+00:00", "complete": "2026-12-07T15:00:00+00:00"},
    "person": PERSON,
}


def shown(status: ReferralStatus = ReferralStatus.SENT, **person: Any) -> dict[str, Any]:
    """Returns a referral as a Task, after validation by FHIR's models."""
    sent = {**SENT, "person": person} if person else SENT
    seen = PartnerReferral(TOKEN, "clinic-tripoli", ReferralKind.MEDICAL_ASSESSMENT, status, AT, sent)
    found: dict[str, Any] = json.loads(Task.model_validate(task_of(seen)).model_dump_json())
    return found


def update(status: str, **changed: Any) -> dict[str, Any]:
    """Returns a Task as a partner sends it back."""
    task = {**shown(), "status": status, "lastModified": "2026-11-24T10:15:00+02:00", **changed}
    task.pop("businessStatus") if "businessStatus" not in changed else None
    found: dict[str, Any] = json.loads(Task.model_validate(task).model_dump_json())
    return found


def signal_fields(status: str, message_id: str = "m-1", **changed: Any) -> dict[str, Any]:
    task = update(status, **changed)
    assert flaws_in(task, task["id"]) == []
    fields = signal_of("clinic-tripoli", message_id, task)
    assert schema_errors(ReceivePartnerSignal, fields) == []
    return fields


# Status, row by row (rule REFERRAL.STATUS)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("DRAFT", "draft"),
        ("SENT", "requested"),
        ("ACKNOWLEDGED", "received"),
        ("ACCEPTED", "accepted"),
        ("IN_PROGRESS", "in-progress"),
        ("ON_HOLD", "on-hold"),
        ("COMPLETED", "completed"),
        ("REJECTED", "rejected"),
        ("FAILED", "failed"),
        ("EXPIRED", "failed"),
        ("CANCELLED", "cancelled"),
        ("ENTERED_IN_ERROR", "entered-in-error"),
    ],
)
def test_each_status_has_a_fhir_status_and_keeps_the_status_of_awda_beside_it(status: str, word: str) -> None:
    task = shown(ReferralStatus(status))

    assert task["status"] == word
    assert task["businessStatus"]["coding"] == [{"system": "urn:awda:referral-status", "code": status}]


def test_every_status_is_in_the_table() -> None:
    assert STATUS_OF.keys() == set(ReferralStatus)
    assert SIGNAL_OF.keys() < set(STATUS_OF.values())


@pytest.mark.parametrize(
    ("word", "signal"),
    [
        ("received", "ACKNOWLEDGED"),
        ("accepted", "ACCEPTED"),
        ("rejected", "REJECTED"),
        ("in-progress", "STARTED"),
        ("on-hold", "PAUSED"),
        ("completed", "COMPLETED"),
        ("failed", "FAILED"),
        ("cancelled", "PARTNER_CANCELLED"),
    ],
)
def test_each_status_a_partner_may_set_is_a_signal(word: str, signal: str) -> None:
    assert signal_fields(word)["signal_type"] == signal
    assert goes_on(update(word)) is (word == "in-progress")


@pytest.mark.parametrize("word", ["draft", "requested", "ready", "entered-in-error", "Completed", "done"])
def test_a_status_that_only_iom_sets_is_not_a_signal(word: str) -> None:
    (flaw,) = flaws_in(update(word), id_of(TOKEN))
    assert flaw.pointer == "/status"


@pytest.mark.parametrize("signal", list(SignalType))
def test_a_signal_without_a_fhir_status_has_its_own_code(signal: SignalType) -> None:
    task = update("requested", businessStatus={"coding": [{"system": SIGNAL, "code": signal}]})

    assert flaws_in(task, id_of(TOKEN)) == []
    assert not goes_on(task)
    assert signal_of("clinic-tripoli", "m-1", task)["signal_type"] == signal


# Referral to Task, field by field


@pytest.mark.parametrize(
    ("field", "where", "value"),
    [
        ("family_name", ("name",), [{"use": "official", "family": "Okafor"}]),
        ("given_names", ("name",), [{"use": "official", "given": ["Aminata"]}]),
        ("name_native_script", ("name",), [{"text": "أميناتا"}]),
        ("sex", ("gender",), "female"),
        ("date_of_birth", ("birthDate",), "1996-04-02"),
        ("phone", ("telecom",), [{"system": "phone", "value": "+218910000001"}]),
    ],
)
def test_identity_fields_are_in_the_patient(field: str, where: tuple[str, ...], value: Any) -> None:
    task = shown(**{field: PERSON[field]})

    (patient,) = task["contained"]
    assert patient == {"resourceType": "Patient", "id": "person", where[0]: value}
    assert task["for"] == {"reference": "#person"}
    assert "input" not in task


def test_languages_are_in_the_patient() -> None:
    (patient,) = shown(languages=["ha", "en"])["contained"]
    codes = [each["language"]["coding"][0]["code"] for each in patient["communication"]]
    assert codes == ["ha", "en"]


@pytest.mark.parametrize(
    ("field", "inputs"),
    [
        ("nationality", {"nationality": "NGA"}),
        ("document", {"document": "LP-100"}),
        ("item", {"item": "shop"}),
        ("dob_precision", {"dob_precision": "DAY"}),
        ("flight", {"flight.movement": "MOV-2026-1214-MJI-LOS-01", "flight.std": "2026-12-14T09:00:00+00:00"}),
    ],
)
def test_other_fields_are_inputs(field: str, inputs: dict[str, str]) -> None:
    task = shown(**{field: PERSON[field]})

    found = {each["type"]["coding"][0]["code"]: each["valueString"] for each in task["input"]}
    assert found == inputs
    assert "contained" not in task
    assert "for" not in task


@pytest.mark.parametrize(
    ("precision", "known"), [("DAY", "1996-04-02"), ("MONTH", "1996-04"), ("YEAR", "1996"), ("ESTIMATED", "1996")]
)
def test_a_date_of_birth_has_its_known_precision(precision: str, known: str) -> None:
    (patient,) = shown(date_of_birth="1996-04-02", dob_precision=precision)["contained"]
    assert patient["birthDate"] == known


@pytest.mark.parametrize("sex", ["UNKNOWN", "MALE", "FEMALE", "NOT_APPLICABLE"])
def test_every_sex_has_a_fhir_gender(sex: str) -> None:
    (patient,) = shown(sex=sex)["contained"]
    assert patient["gender"] in {"male", "female", "unknown", "other"}


@pytest.mark.parametrize("recipient", list(Recipient))
def test_a_task_has_the_fields_that_were_sent_and_no_others(recipient: Recipient) -> None:
    disclosed = {name: value for name, value in PERSON.items() if name in MAY_SEE[recipient]}

    text = json.dumps(shown(**disclosed), ensure_ascii=False)

    for name, value in PERSON.items():
        for part in [value] if isinstance(value, str) else list(value.values() if isinstance(value, dict) else value):
            if name not in ("dob_precision", "sex", "languages"):
                assert (part in text) is (name in disclosed), name
    assert {"input": "input" in text, "contained": '"contained"' in text} == {
        "input": bool(disclosed.keys() - IN_PATIENT), "contained": bool(disclosed.keys() & IN_PATIENT),
    }  # fmt: skip


def test_the_other_elements_of_a_task() -> None:
    task = shown()

    assert task["id"] == "Vb9cW4nVt7m2.JqkXo1-3g"
    assert task["identifier"] == [{"system": "urn:awda:referral-token", "value": TOKEN}]
    assert task["code"]["coding"] == [{"system": "urn:awda:referral-kind", "code": "MEDICAL_ASSESSMENT"}]
    assert (task["intent"], task["priority"]) == ("order", "urgent")
    assert task["authoredOn"] == "2026-11-23T08:00:00Z"
    assert task["lastModified"] == task["meta"]["lastUpdated"] == "2026-11-23T08:00:00Z"
    assert task["restriction"]["period"]["end"] == "2026-12-07T15:00:00Z"
    assert task["owner"]["identifier"]["value"] == "clinic-tripoli"
    assert "output" not in task


@given(st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=16, max_size=64))
def test_every_token_is_an_id_and_back_again(token: str) -> None:
    seen = PartnerReferral(token, "x", ReferralKind.MHPSS, ReferralStatus.CANCELLED, AT)
    assert token_of(json.loads(Task.model_validate(task_of(seen)).model_dump_json())["id"]) == token


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_task_without_personal_data_is_valid_fhir(status: ReferralStatus) -> None:
    task = task_of(PartnerReferral(TOKEN, "clinic-tripoli", ReferralKind.MHPSS, status, AT))
    assert not {"for", "contained", "input", "restriction", "authoredOn"} & task.keys()
    Task.model_validate(task)


def test_pages_and_receipts_are_valid_fhir() -> None:
    seen = PartnerReferral(TOKEN, "clinic-tripoli", ReferralKind.MHPSS, ReferralStatus.SENT, AT, SENT)
    here = "http://127.0.0.1:8600/api/v1/partners/clinic-tripoli/fhir/Task?status=requested&_after=x"

    page = bundle_of([seen], here, TOKEN)
    Bundle.model_validate(page)
    Bundle.model_validate(bundle_of([], here, None))
    OperationOutcome.model_validate(outcome_of("0a7c"))

    assert page["entry"][0]["fullUrl"] == f"{here.partition('?')[0]}/{id_of(TOKEN)}"
    assert page["link"][1]["url"] == f"{here.partition('?')[0]}?status=requested&_after={id_of(TOKEN)}"


# Task to signal, field by field


def test_an_update_is_a_signal_with_its_outcome_payload_reason_and_times() -> None:
    fields = signal_fields(
        "completed",
        message_id="3b6f1c1e-7c1f-4a52-9a51-0d9c6f1e2a77",
        statusReason={"text": "seen twice"},
        executionPeriod={"end": "2026-11-24T09:00:00+02:00"},
        output=[
            {"type": {"coding": [{"code": "outcome_code"}]}, "valueCode": "NO_SIGNIFICANT_CONDITION"},
            {"type": {"text": "examined_at"}, "valueDate": "2026-11-24"},
            {"type": {"text": "tb_screen"}, "valueCodeableConcept": {"coding": [{"code": "NEG"}]}},
            {"type": {"text": "weight"}, "valueQuantity": {"value": 61, "unit": "kg"}},
            {"type": {"text": "smoker"}, "valueBoolean": False},
        ],
    )

    assert fields == {
        "signal_id": "3b6f1c1e-7c1f-4a52-9a51-0d9c6f1e2a77",
        "referral_token": TOKEN,
        "partner_id": "clinic-tripoli",
        "signal_type": "COMPLETED",
        "outcome_code": "NO_SIGNIFICANT_CONDITION",
        "reason": "seen twice",
        "payload": {"examined_at": "2026-11-24", "tb_screen": "NEG", "weight": 61, "smoker": False},
        "occurred_at": "2026-11-24T09:00:00+02:00",
        "sent_at": "2026-11-24T10:15:00+02:00",
    }


def test_a_correction_names_the_signal_it_corrects() -> None:
    other = "6f0a1c1e-7c1f-4a52-9a51-0d9c6f1e2a77"
    fields = signal_fields(
        "completed",
        businessStatus={"coding": [{"system": SIGNAL, "code": "AMENDED"}]},
        output=[{"type": {"text": "supersedes_signal_id"}, "valueString": other}],
    )
    assert (fields["signal_type"], fields["supersedes_signal_id"]) == ("AMENDED", other)


def test_a_message_id_that_is_not_a_uuid_always_gives_the_same_uuid() -> None:
    one, again, other = (signal_fields("accepted", name)["signal_id"] for name in ("m-1", "m-1", "m-2"))
    assert one == again != other
    UUID(one)


@pytest.mark.parametrize(
    ("changed", "at"),
    [
        ({}, "2026-11-24T10:15:00+02:00"),
        ({"executionPeriod": {"end": "2026-11-24"}}, "2026-11-24T10:15:00+02:00"),
        ({"executionPeriod": {"start": "2026-11-24T09:00:00+02:00"}}, "2026-11-24T10:15:00+02:00"),
    ],
)
def test_an_end_that_is_not_fully_known_counts_from_the_last_change(changed: dict[str, Any], at: str) -> None:
    assert signal_fields("completed", **changed)["occurred_at"] == at


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"id": "another-token-than-the-one-read"}, "/id"),
        ({"lastModified": "2026-11-24"}, "/lastModified"),
        ({"lastModified": None}, "/lastModified"),
    ],
)
def test_a_task_that_cannot_be_an_answer_says_where(changed: dict[str, Any], pointer: str) -> None:
    assert pointer in [flaw.pointer for flaw in flaws_in(update("accepted", **changed), id_of(TOKEN))]


@given(st.sampled_from(sorted(SIGNAL_OF)), st.uuids())
def test_the_same_update_is_always_the_same_signal(word: str, message_id: UUID) -> None:
    assert signal_fields(word, str(message_id)) == signal_fields(word, str(message_id))


# The documentation page


def test_the_answer_on_the_page_is_accepted() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    task = json.loads(Task.model_validate(json.loads(block)).model_dump_json())

    assert flaws_in(task, task["id"]) == []
    fields = signal_of("clinic-tripoli", "m-1", task)
    assert schema_errors(ReceivePartnerSignal, fields) == []
    assert (fields["outcome_code"], fields["payload"]) == ("NO_SIGNIFICANT_CONDITION", {"examined_at": "2026-11-24"})


def test_the_statuses_on_the_page_are_those_of_the_table() -> None:
    shown = {
        word: re.findall(r"`([A-Z_]+)`", ours)
        for word, ours in re.findall(r"^\| `([a-z-]+)` \| (.+?) \|", PAGE, re.MULTILINE)
    }
    table = {word: [s for s in STATUS_OF if STATUS_OF[s] == word] for word in STATUS_OF.values() if word != "draft"}
    assert {word: shown[word] for word in table} == table


def test_every_system_on_the_page_is_used() -> None:
    mapping = PAGES.parent.parent / "gateway" / "partner_access" / "fhir_mapping.py"
    used = mapping.read_text()
    for system in set(re.findall(r"urn:awda:([a-z-]+)", PAGE)):
        assert f'"{system}"' in used, system
