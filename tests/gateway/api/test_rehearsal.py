"""The rehearsal judges a signal as its case does, states in words whether it would be applied, and stores nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from domain.events.signal import PartnerSignalQuarantined
from domain.kernel.vocabulary import STATEMENTS, ReferralKind, SignalType
from domain.referral.key_scope import OUTSIDE_SCOPE, UNLIMITED, KeyScope
from domain.referral.outcomes import CODED, OUTCOMES, outcomes_of
from gateway.intake.rehearsal import CORRECTIONS, Rehearsal, rehearse
from gateway.intake.service import Intake
from store.crypto.webhook_signatures import new_secret
from store.partners.keys import add_key, key_entries, revoke_key
from store.partners.registry import RegisteredPartner, add
from tests.domain.referral.test_payloads import a_sent_referral
from tests.gateway.conftest import TOKEN, Clinic, rows
from tests.support.payloads import full_payload, spoilt_payloads

KINDS = sorted(OUTCOMES)

APPLICABLE = [signal for signal in SignalType if signal not in STATEMENTS | CORRECTIONS]


async def rehearsed(client: httpx2.AsyncClient, clinic: Clinic, **data: Any) -> httpx2.Response:
    """Sends a signal to the rehearsal; ``kind`` is the attribute ``referralkind``, ``key`` another secret."""
    attributes = {"referralkind": kind} if (kind := data.pop("kind", None)) else {}
    key = data.pop("key", None)
    headers, body = clinic.signed(clinic.event(data=data, **attributes), key=key)
    return await client.post(f"/api/v1/inbox/{clinic.partner_id}/rehearsal", content=body, headers=headers)


async def judged(client: httpx2.AsyncClient, clinic: Clinic, **data: Any) -> dict[str, Any]:
    answer = await rehearsed(client, clinic, **data)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def fields_of(signal: str, outcome: str | None, payload: dict[str, Any], **more: Any) -> dict[str, Any]:
    stated = {"signal_id": str(uuid4()), "partner_id": "clinic-tripoli", "signal_type": signal, "outcome_code": outcome}
    return {**stated, "referral_token": TOKEN, "payload": payload, "occurred_at": "2026-11-20T08:00:00Z", **more}


def rehearsal_of(kind: ReferralKind, fields: dict[str, Any], now: datetime, scope: KeyScope = UNLIMITED) -> Rehearsal:
    return rehearse(fields, named=kind, received=[kind], scopes=[scope], now=now)


def variants(kind: ReferralKind) -> list[dict[str, Any]]:
    """Returns signals about one kind: every outcome, unknown outcomes, missing, wrong and future payload fields."""
    payload, (ordinary, *_) = full_payload(kind), OUTCOMES[kind].ends
    known = [fields_of(signal, code, payload) for signal, codes in outcomes_of(kind).items() for code in codes]
    bare = [fields_of("COMPLETED", code, {}) for code in OUTCOMES[kind].ends]
    unknown = [fields_of(signal, "NONSENSE", payload) for signal in APPLICABLE]
    without = [fields_of(signal, None, payload) for signal in APPLICABLE]
    spoilt = [fields_of("COMPLETED", ordinary, wrong) for _, wrong in spoilt_payloads(kind)]
    return [*known, *bare, *unknown, *without, *spoilt, fields_of("COMPLETED", ordinary, payload, payload_version=2)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_rehearsal_and_the_case_agree_which_signals_do_not_fit(kind: ReferralKind) -> None:
    first = a_sent_referral(kind)
    for fields in variants(kind):
        scenario = first.again()
        signal, outcome = fields["signal_type"], fields["outcome_code"]
        more = {name: fields[name] for name in ("payload", "payload_version") if name in fields}
        recorded = scenario.partner_says(kind, signal, outcome, **more)

        found = rehearsal_of(kind, fields, scenario.now)

        unfit = any(isinstance(event, PartnerSignalQuarantined) and event.cause == "SCHEMA" for event in recorded)
        assert bool(found.errors) == unfit, (signal, outcome, found)


@pytest.mark.parametrize("kind", KINDS)
def test_every_wrong_field_is_named(kind: ReferralKind) -> None:
    (ordinary, *_), now = OUTCOMES[kind].ends, datetime(2026, 11, 23, 8, tzinfo=UTC)

    for field, wrong in spoilt_payloads(kind):
        found = rehearsal_of(kind, fields_of("COMPLETED", ordinary, wrong), now)
        pointers = [error.pointer for error in found.errors]
        assert any(pointer.startswith(f"/data/payload/{field}") for pointer in pointers), (field, pointers)
        assert all(error.message.startswith("Payload: ") for error in found.errors), found.errors
        assert not any("schema" in error.message for error in found.errors), found.errors


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_field_that_an_outcome_requires_is_named(kind: ReferralKind) -> None:
    now = datetime(2026, 11, 23, 8, tzinfo=UTC)
    for outcome, needed in OUTCOMES[kind].needs.items():
        found = rehearsal_of(kind, fields_of("COMPLETED", outcome, {}), now)
        assert [error.pointer for error in found.errors] == [f"/data/payload/{name}" for name in needed]


@pytest.mark.parametrize("signal", [signal for signal in SignalType if signal not in STATEMENTS])
@pytest.mark.parametrize("outcome", [None, "NONSENSE"])
async def test_an_outcome_that_no_kind_has_is_held_with_every_type_that_carries_one(
    client: httpx2.AsyncClient, intake: Intake, clinic: Clinic, signal: SignalType, outcome: str | None
) -> None:
    found = await judged(client, clinic, signal_type=signal, outcome_code=outcome, kind="TRAVEL_DOCUMENT")

    unfit = signal in CODED and not (outcome is None and signal is SignalType.ACCEPTED)
    held = unfit or signal in CORRECTIONS
    assert found["would_be"] == ("held_for_review" if held else "applied")
    assert any(error["pointer"] == "/data/outcome_code" for error in found["errors"]) == unfit
    assert all(error["message"] in found["says"] for error in found["errors"])
    assert await rows(intake, "message_id", "kind = 'signal'") == []


async def test_without_a_kind_a_signal_is_judged_for_every_kind_that_the_partner_receives(
    client: httpx2.AsyncClient, intake: Intake, clinic: Clinic
) -> None:
    kinds = frozenset({ReferralKind.TRAVEL_DOCUMENT, ReferralKind.CONSULAR_IDENTITY})
    await add(intake.pool, RegisteredPartner(clinic.partner_id, "Embassy", kinds))

    good = await judged(client, clinic, outcome_code="ISSUED", payload={"number": "LP-1"})
    incomplete = await judged(client, clinic, outcome_code="ISSUED", payload={"kind": "LAISSEZ_PASSER"})
    foreign = await judged(client, clinic, outcome_code="FIT")
    named = await judged(client, clinic, outcome_code="FIT", kind="FIT_TO_TRAVEL")

    assert (good["would_be"], good["kinds"], good["errors"]) == ("applied", ["TRAVEL_DOCUMENT"], [])
    assert (incomplete["would_be"], incomplete["kinds"]) == ("held_for_review", ["TRAVEL_DOCUMENT"])
    assert "Payload: number is required with the outcome ISSUED." in incomplete["says"]
    assert foreign["would_be"] == "held_for_review"
    assert (named["would_be"], [note["code"] for note in named["notes"]]) == ("applied", ["NOT_REGISTERED"])


async def test_a_key_is_judged_by_its_scope_as_in_the_inbox(
    client: httpx2.AsyncClient, intake: Intake, clinic: Clinic
) -> None:
    for entry in await key_entries(intake.pool, clinic.partner_id):
        await revoke_key(intake.pool, entry.key_id)
    laboratory = new_secret()
    scope = KeyScope(frozenset({ReferralKind.FIT_TO_TRAVEL}), frozenset({SignalType.COMPLETED}))
    await add_key(intake.pool, intake.keys.master, clinic.partner_id, laboratory, scope=scope)

    def judged_as(kind: str, signal: str, outcome: str | None = None) -> Any:
        return judged(client, clinic, kind=kind, signal_type=signal, outcome_code=outcome, key=laboratory)

    good = await judged_as("FIT_TO_TRAVEL", "COMPLETED", "FIT")
    other_kind = await judged_as("MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION")
    other_signal = await judged_as("FIT_TO_TRAVEL", "ACCEPTED")
    statement = await judged_as("MEDICAL_ASSESSMENT", "WITHDRAWAL_REPORTED")

    assert [found["would_be"] for found in (good, statement)] == ["applied", "applied"]
    for held in (other_kind, other_signal):
        assert [error["code"] for error in held["errors"]] == [OUTSIDE_SCOPE]


@pytest.mark.parametrize("kind", KINDS)
def test_the_scope_decides_as_in_the_inbox_for_every_kind_and_type_of_signal(kind: ReferralKind) -> None:
    now = datetime(2026, 11, 23, 8, tzinfo=UTC)
    for scope in (KeyScope(kinds=frozenset({ReferralKind.ESCORT})), KeyScope(signals=frozenset({SignalType.STARTED}))):
        for signal in SignalType:
            found = rehearsal_of(kind, fields_of(signal, None, {}), now, scope)
            assert any(error.code == OUTSIDE_SCOPE for error in found.errors) != scope.permits(kind, signal)


@pytest.mark.parametrize("signal", sorted(STATEMENTS))
async def test_a_statement_of_the_person_is_never_held_whatever_else_is_wrong(
    client: httpx2.AsyncClient, clinic: Clinic, signal: SignalType
) -> None:
    found = await judged(client, clinic, signal_type=signal, outcome_code="NONSENSE", payload={"x": 1})
    assert found["would_be"] == "applied"
    assert "recorded as a statement of the person" in found["says"]


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"subject_check": {"name": "Aminata"}}, "/data/subject_check/given_name"),
        ({"subject_check": {"given_name": "Aminata", "year_of_birth": "1996"}}, "/data/subject_check/year_of_birth"),
        ({"subject_check": "Aminata"}, "/data/subject_check"),
        ({"occurred_at": "2026-11-24"}, "/data/occurred_at"),
        ({"payload": "LP-1"}, "/data/payload"),
        ({"kind": "PASSPORT"}, "/referralkind"),
    ],
    ids=["no given name", "a year as text", "a bare name", "a day", "a payload of text", "an unknown kind"],
)
async def test_a_signal_that_the_inbox_would_reject_is_rejected_with_the_field(
    client: httpx2.AsyncClient, intake: Intake, clinic: Clinic, data: dict[str, Any], pointer: str
) -> None:
    answer = await rehearsed(client, clinic, **data)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert await rows(intake, "message_id", "kind = 'signal'") == []


async def test_a_clock_that_is_ahead_is_noted_and_the_signal_is_still_applied(
    client: httpx2.AsyncClient, clinic: Clinic
) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    for signal in ("ACKNOWLEDGED", "WITHDRAWAL_REPORTED"):
        found = await judged(client, clinic, signal_type=signal, outcome_code=None, occurred_at=ahead)
        assert found["would_be"] == "applied"
        assert [(note["pointer"], note["code"]) for note in found["notes"]] == [("/data/occurred_at", "CLOCK_AHEAD")]


@pytest.mark.parametrize(
    ("kind", "data", "pointer"),
    [
        ("TRAVEL_DOCUMENT", {"payload": {"number": "LP-1", "nubmer": "LP-1"}}, "/data/payload/nubmer"),
        ("TRAVEL_DOCUMENT", {"outcome_code": "FEE_REQUIRED"}, "/data/outcome_code"),
        ("RECEPTION", {"outcome_code": "RECEIVED"}, "/data/outcome_code"),
        ("RECEPTION", {"outcome_code": "NOT_ARRIVED"}, "/data/outcome_code"),
    ],
)
async def test_an_effect_that_the_sender_may_not_expect_is_noted(
    client: httpx2.AsyncClient, clinic: Clinic, kind: str, data: dict[str, Any], pointer: str
) -> None:
    found = await judged(client, clinic, kind=kind, **{"outcome_code": "ISSUED", **data})
    assert (found["would_be"], [note["pointer"] for note in found["notes"]]) == ("applied", [pointer])


async def test_a_rehearsal_is_the_same_for_a_known_and_an_unknown_referral(
    client: httpx2.AsyncClient, clinic: Clinic
) -> None:
    given = {"outcome_code": "NONSENSE", "signal_id": str(uuid4())}
    known, unknown = [await judged(client, clinic, referral_token=token, **given) for token in (TOKEN, "x" * 22)]
    assert json.dumps(known | {"clock_behind_s": 0}) == json.dumps(unknown | {"clock_behind_s": 0})
