"""Outcome codes and payloads by kind of referral; a response that fits neither is quarantined."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clearance.nationality import nationality_confirmed
from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.directory import Directory, Partner
from domain.kernel.event import Compartment
from domain.kernel.holds import BLOCKS
from domain.kernel.vocabulary import PUBLIC_KIND, Block, ReferralKind, SignalType
from domain.referral.compartments import MEDICAL_KINDS, PROTECTION_KINDS, answer_fields, compartment_of, split_payload
from domain.referral.outcomes import (
    GRAVE_FIELDS,
    OUTCOMES,
    OutcomeSpec,
    hold_required_by,
    outcomes_of,
    parse_payload,
    published_schema,
    schema_violation,
)
from tests.support.assertions import neutral
from tests.support.builders import CaseScenario, a_screened_case

MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)

KINDS = sorted(OUTCOMES)

# The codes of each kind (rule REFERRAL.OUTCOMES). Those that do not end a referral are listed separately.
ENDS = {
    "PROTECTION_ASSISTANCE": "SERVICE_PROVIDED PARTIALLY_PROVIDED DECLINED_BY_PERSON SERVICE_UNAVAILABLE NOT_REACHED",
    "VOT_ASSISTANCE": "ADMITTED ASSISTED_OUTSIDE DECLINED_BY_PERSON NO_CAPACITY DISCHARGED",
    "GBV_SERVICES": "CARE_PROVIDED DECLINED_BY_PERSON TOO_LATE_FOR_PEP SERVICE_UNAVAILABLE",
    "CHILD_BIA": "RETURN_RECOMMENDED RETURN_NOT_RECOMMENDED BID_REQUIRED",
    "GUARDIANSHIP": "GUARDIAN_APPOINTED DE_FACTO_CAREGIVER_CONFIRMED NONE_AVAILABLE",
    "FAMILY_TRACING": "FOUND NOT_FOUND FOUND_UNWILLING FOUND_UNSAFE DECEASED",
    "FAMILY_ASSESSMENT": "SUITABLE SUITABLE_WITH_SUPPORT UNSUITABLE REFUSED_ACCESS",
    "BID_PANEL": "RETURN REMAIN_WITH_CARE THIRD_COUNTRY DEFERRED",
    "UNHCR_ASYLUM": "REGISTERED NOT_OF_CONCERN OUT_OF_SCOPE CLAIM_NOT_PURSUED EVACUATION_OR_RESETTLEMENT NOT_REACHED",
    "SAFETY_ASSESSMENT": "SAFE SAFE_WITH_MITIGATION NOT_SAFE UNDETERMINED",
    "MHPSS": "ENGAGED COMPLETED_COURSE DECLINED_BY_PERSON REFERRED_UP NOT_REACHED",
    "SHELTER_DIRECT_ASSISTANCE": "PROVIDED UNAVAILABLE",
    "LEGAL_ASSISTANCE": "ADVISED RESOLVED PROCEEDINGS_OPEN",
    "COMMUNITY_LIAISON": "CONTACTED NOT_FOUND IDENTITY_ENDORSED CONCERN_REPORTED",
    "DETENTION_RELEASE": "RELEASE_GRANTED RELEASE_REFUSED PERSON_NOT_FOUND MOVED_SITE",
    "MEDICAL_ASSESSMENT": "NO_SIGNIFICANT_CONDITION SIGNIFICANT_CONDITION_STABLE TREATMENT_REQUIRED UNFIT_TEMPORARY"
    " UNFIT_LONG_TERM DECLINED_BY_PERSON",
    "SPECIALIST_CARE": "TREATED ADMITTED DISCHARGED REFERRED_ABROAD DIED",
    "FIT_TO_TRAVEL": "FIT FIT_WITH_CONDITIONS UNFIT_TEMPORARY UNFIT",
    "AIRLINE_MEDICAL": "APPROVED APPROVED_WITH_CONDITIONS REFUSED",
    "MEDICAL_EVACUATION": "EVACUATED DIED_IN_CARE DECLINED_BY_RECEIVER DECLINED_BY_PERSON",
    "CONSULAR_IDENTITY": "NATIONALITY_CONFIRMED NOT_CONFIRMED INTERVIEW_NO_SHOW REFUSED_TO_COOPERATE_PERSON"
    " EMBASSY_CLOSED",
    "TRAVEL_DOCUMENT": "ISSUED REFUSED",
    "EXIT_PERMIT": "GRANTED REFUSED",
    "MOVEMENT_BOOKING": "CONFIRMED REFUSED",
    "ESCORT": "ASSIGNED NOT_AVAILABLE",
    "TRANSIT_ASSISTANCE": "CONFIRMED PROVIDED REFUSED",
    "RECEPTION": "RECEIVED NOT_ARRIVED REFUSED_ASSISTANCE",
    "MEDICAL_HANDOVER": "HANDED_OVER ADMITTED NO_SHOW",
    "PROTECTION_HANDOVER": "HANDED_OVER DECLINED_BY_PERSON",
    "CHILD_HANDOVER": "HANDED_OVER CAREGIVER_ABSENT",
    "REINTEGRATION_COUNSELLING": "COUNSELLED NOT_REACHED DECLINED",
    "REINTEGRATION_SERVICE": "DELIVERED PARTIALLY BENEFICIARY_ABSENT PROVIDER_DEFAULT SERVICE_UNAVAILABLE",
    "PROCUREMENT": "DELIVERED PARTIAL REJECTED_QUALITY VENDOR_DEFAULT",
}

GOES_ON = {
    "CHILD_BIA": "MORE_INFO",
    "AIRLINE_MEDICAL": "MORE_INFO",
    "CONSULAR_IDENTITY": "VERIFICATION_IN_CAPITAL",
    "TRAVEL_DOCUMENT": "FEE_REQUIRED REQUIRES_ITINERARY",
    "EXIT_PERMIT": "MORE_INFO",
    "SHELTER_DIRECT_ASSISTANCE": "WAITLISTED",
    "MOVEMENT_BOOKING": "WAITLISTED",
}

FIT: dict[str, dict[str, Any]] = {"ISSUED": {"number": "LP-1"}, "HANDED_OVER": {"id_checked": True}}


def a_signal(code: str | None, signal_type: str = "COMPLETED", **payload: Any) -> ReceivePartnerSignal:
    return ReceivePartnerSignal(
        signal_id=UUID(int=1),
        referral_token="a token of sixteen",
        partner_id="anybody",
        signal_type=SignalType(signal_type),
        outcome_code=code,
        payload=payload,
        occurred_at=MONDAY,
    )


def a_sent_referral(kind: str) -> CaseScenario:
    """A case whose partners take every kind, with one referral of this kind sent."""
    scenario = a_screened_case()
    scenario.directory = Directory({"anybody": Partner("anybody", frozenset(ReferralKind))})
    for purpose in ("SHARE_PROTECTION", "SHARE_UNHCR", "MHPSS", "SHELTER", "LEGAL", "COMMUNITY", "CARRIER", "TRACING"):
        scenario.having("RecordConsent", purpose=purpose, form_version="1", language="en")
    for purpose in ("GUARDIANSHIP", "TRANSIT"):
        scenario.having("RecordConsent", purpose=purpose, form_version="1", language="en")
    return scenario.having("CreateReferral", kind=kind)


# The table


def test_every_kind_of_referral_has_outcomes() -> None:
    assert set(OUTCOMES) == set(ReferralKind) - {ReferralKind.HEALTH_SERVICE}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_the_codes_that_the_programme_gives_it(kind: ReferralKind) -> None:
    assert sorted(OUTCOMES[kind].ends) == sorted(ENDS[kind].split())
    assert OUTCOMES[kind].non_final == set(GOES_ON.get(kind, "").split())


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_uses_only_its_own_codes(kind: ReferralKind) -> None:
    answers: OutcomeSpec = OUTCOMES[kind]
    codes = {*answers.ends, *answers.non_final, *answers.accepts}
    assert {*answers.grave, *answers.needs, *answers.promises, *answers.only_after_departure} <= codes
    for fields in answers.needs.values():
        assert set(fields) <= set(answers.payload.model_fields)


@pytest.mark.parametrize("kind", KINDS)
def test_every_code_of_a_kind_is_valid_for_it(kind: ReferralKind) -> None:
    for code in (*OUTCOMES[kind].ends, *OUTCOMES[kind].non_final):
        assert schema_violation(kind, a_signal(code, **FIT.get(code, {}))) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("signal_type", ["COMPLETED", "AMENDED", "ACCEPTED"])
def test_an_unknown_code_is_not_valid(kind: ReferralKind, signal_type: str) -> None:
    assert schema_violation(kind, a_signal("ALL_IS_WELL", signal_type)) == "outcome_code"


@pytest.mark.parametrize("kind", KINDS)
def test_a_completion_without_an_outcome_is_valid_only_for_a_promised_service(kind: ReferralKind) -> None:
    assert (schema_violation(kind, a_signal(None)) is None) is bool(OUTCOMES[kind].promises)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "signal_type", ["ACKNOWLEDGED", "ACCEPTED", "REJECTED", "STARTED", "PAUSED", "FAILED", "RETRACTED"]
)
def test_signals_without_an_outcome_code_are_valid_for_every_kind(kind: ReferralKind, signal_type: str) -> None:
    assert schema_violation(kind, a_signal(None, signal_type)) is None


@pytest.mark.parametrize("signal_type", ["REJECTED", "FAILED", "PAUSED", "PROGRESS", "PARTNER_CANCELLED"])
def test_any_reason_is_valid_in_a_signal_that_permits_nothing(signal_type: str) -> None:
    assert schema_violation(ReferralKind.TRAVEL_DOCUMENT, a_signal("THE_PRINTER_BROKE", signal_type)) is None


@pytest.mark.parametrize(
    ("kind", "code", "payload", "found"),
    [
        ("TRAVEL_DOCUMENT", "ISSUED", {}, "number"),
        ("TRAVEL_DOCUMENT", "ISSUED", {"number": ""}, "number"),
        ("TRAVEL_DOCUMENT", "ISSUED", {"number": 7}, "number"),
        ("TRAVEL_DOCUMENT", "ISSUED", {"number": "7", "expires_on": 20270122}, "expires_on"),
        ("TRAVEL_DOCUMENT", "ISSUED", {"number": "7", "persons_covered": "two"}, "persons_covered"),
        ("CHILD_HANDOVER", "HANDED_OVER", {}, "id_checked"),
        ("CHILD_HANDOVER", "HANDED_OVER", {"id_checked": False}, "id_checked"),
        ("EXIT_PERMIT", "GRANTED", {"airport": "Mitiga"}, "airport"),
        ("MEDICAL_ASSESSMENT", "NO_SIGNIFICANT_CONDITION", {"pregnancy": {"edd": "2027-01-01"}}, "pregnancy.pregnant"),
        ("MEDICAL_ASSESSMENT", "NO_SIGNIFICANT_CONDITION", {"oxygen": "no"}, "oxygen"),
        ("MHPSS", "ENGAGED", {"level": 5}, "level"),
        ("PROCUREMENT", "DELIVERED", {"amount": -1}, "amount"),
        ("PROCUREMENT", "DELIVERED", {"amount": "1200 EUR", "currency": "euro"}, "amount, currency"),
    ],
)
def test_a_violation_names_the_field(kind: str, code: str, payload: dict[str, Any], found: str) -> None:
    assert schema_violation(ReferralKind(kind), a_signal(code, **payload)) == found


@pytest.mark.parametrize(
    "moment", ["2026-11-20", "2026-11-20T10:00:00", "2026-11-20T10:00:00Z", "2026-11-20T10:00:00+02:00"]
)
def test_a_time_may_be_a_date_and_needs_no_offset(moment: str) -> None:
    assert (
        schema_violation(ReferralKind.MEDICAL_ASSESSMENT, a_signal("NO_SIGNIFICANT_CONDITION", examined_at=moment))
        is None
    )
    assert parse_payload(ReferralKind.MEDICAL_ASSESSMENT, {"examined_at": moment}).examined_at.tzinfo is not None


def test_an_unpublished_version_is_not_valid() -> None:
    signal = a_signal("GRANTED").model_copy(update={"payload_version": 2})
    assert schema_violation(ReferralKind.EXIT_PERMIT, signal) == "payload_version is not 1"


@pytest.mark.parametrize("kind", KINDS)
def test_the_published_schema_is_the_table(kind: ReferralKind) -> None:
    schema = published_schema(kind)
    json.dumps(schema)
    assert schema["outcomes"]["COMPLETED"] == list(OUTCOMES[kind].ends)
    assert set(schema["payload"].get("properties", {})) == set(OUTCOMES[kind].payload.model_fields)


@pytest.mark.parametrize("kind", KINDS)
def test_every_published_outcome_is_valid_with_its_signal(
    kind: ReferralKind,
) -> None:
    for signal_type, codes in outcomes_of(kind).items():
        for code in codes:
            assert schema_violation(kind, a_signal(code, signal_type, **FIT.get(code, {}))) is None, (signal_type, code)


# Invalid signals


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_outcome_is_kept_and_stops_the_journey(kind: ReferralKind) -> None:
    scenario = a_sent_referral(kind)
    recorded = scenario.partner_says(kind, "COMPLETED", "ALL_IS_WELL", payload={"and": "more"})
    assert (recorded[0].name, recorded[0].facts["cause"], recorded[0].facts["flaw"]) == (
        *("PartnerSignalQuarantined", "SCHEMA"),
        "outcome_code",
    )
    assert recorded[0].facts["outcome_code"] is None, "an unknown code is not public"
    assert recorded[0].outcome == "ALL_IS_WELL"  # type: ignore[attr-defined]
    assert "ALL_IS_WELL" not in neutral(recorded[0])
    assert scenario.referral(kind).status == "SENT"
    assert "GATE.SIGNAL.IN_DOUBT" in scenario.failures()
    assert "resolve a doubtful signal" in [task.task for task in scenario.case.tasks.values()]


def test_an_invalid_signal_has_no_effect_until_staff_correct_it() -> None:
    scenario = a_sent_referral("TRAVEL_DOCUMENT").having_signal(
        "TRAVEL_DOCUMENT", "COMPLETED", "ISSUED", payload={"kind": "PASSPORT"}
    )
    order = {
        "signal_id": next(iter(scenario.referral("TRAVEL_DOCUMENT").disputed)),
        "decision": "AMEND",
        "reason": "seen",
    }
    assert scenario.refused("ResolveQuarantinedSignal", **order).rule == "SIGNAL.UNFIT"
    scenario.having("ResolveQuarantinedSignal", **order, payload={"kind": "PASSPORT", "number": "A-7"})
    assert scenario.referral("TRAVEL_DOCUMENT").status == "COMPLETED"
    assert scenario.named("TravelDocumentIssued")[-1].facts["number"] == "A-7"


def test_staff_may_enter_the_intended_outcome() -> None:
    scenario = a_sent_referral("CONSULAR_IDENTITY").having_signal(
        "CONSULAR_IDENTITY", "COMPLETED", "CONFIRMED_BY_CONSUL"
    )
    signal = next(iter(scenario.referral("CONSULAR_IDENTITY").disputed))
    scenario.having(
        "ResolveQuarantinedSignal",
        signal_id=signal,
        decision="AMEND",
        reason="the consul said so on the telephone",
        outcome_code="NATIONALITY_CONFIRMED",
    )
    assert nationality_confirmed(scenario.case)


def test_an_invalid_signal_may_be_set_aside() -> None:
    scenario = a_sent_referral("EXIT_PERMIT").having_signal("EXIT_PERMIT", "COMPLETED", "YES")
    signal = next(iter(scenario.referral("EXIT_PERMIT").disputed))
    scenario.having("ResolveQuarantinedSignal", signal_id=signal, decision="IGNORE", reason="they send it again")
    assert scenario.referral("EXIT_PERMIT").status == "SENT"
    assert scenario.having_signal("EXIT_PERMIT", "COMPLETED", "GRANTED").referral("EXIT_PERMIT").status == "COMPLETED"


# Grave responses

GRAVE = [(kind, code, hold) for kind in KINDS for code, hold in OUTCOMES[kind].grave.items()]


@pytest.mark.parametrize(("kind", "code", "hold"), GRAVE)
def test_a_grave_response_places_a_hold_on_receipt(kind: ReferralKind, code: str, hold: str) -> None:
    scenario = a_sent_referral(kind).having_signal(kind, "COMPLETED", code)
    assert scenario.has_hold(hold)
    assert Block.BOARDING in BLOCKS[scenario.held(hold).type]
    assert len(scenario.case.holds) == 1


@pytest.mark.parametrize(
    ("kind", "field"),
    [("PROTECTION_ASSISTANCE", "recommended_hold"), ("MHPSS", "fit_for_decision"), ("LEGAL_ASSISTANCE", "may_depart")],
)
def test_a_payload_field_may_place_a_hold(kind: str, field: str) -> None:
    value, hold = GRAVE_FIELDS[field]
    code = OUTCOMES[ReferralKind(kind)].ends[0]
    assert a_sent_referral(kind).having_signal(kind, "COMPLETED", code, payload={field: value}).has_hold(hold)
    assert not a_sent_referral(kind).having_signal(kind, "COMPLETED", code, payload={field: not value}).has_hold(hold)


@pytest.mark.parametrize("kind", sorted(PUBLIC_KIND))
def test_no_hold_reveals_the_true_kind_of_a_referral(kind: ReferralKind) -> None:
    siblings = {one for one, public in PUBLIC_KIND.items() if public is PUBLIC_KIND[kind]}
    held = {hold for one in siblings for hold in OUTCOMES[one].grave.values()}
    assert len(held) <= 1


def test_nothing_is_grave_for_a_public_kind() -> None:
    assert hold_required_by(ReferralKind.HEALTH_SERVICE, "DIED", {}) is None


# Compartments


@pytest.mark.parametrize("kind", KINDS)
def test_an_outcome_is_public_only_for_a_kind_in_the_general_compartment(kind: ReferralKind) -> None:
    answer = answer_fields(kind, {"payload": {}}, OUTCOMES[kind].ends[0])
    assert ("outcome_code" in answer) is (kind not in MEDICAL_KINDS | PROTECTION_KINDS)


@pytest.mark.parametrize("kind", sorted(PUBLIC_KIND))
def test_a_kind_with_a_public_name_is_sealed(kind: ReferralKind) -> None:
    assert kind in MEDICAL_KINDS | PROTECTION_KINDS


NAMES = st.sampled_from(["number", "diagnosis", "hiv", "trafficking", "remark", "examined_at", "phone", "area", "x"])


@given(kind=st.sampled_from(KINDS), payload=st.dictionaries(NAMES, st.integers(), max_size=6))
def test_splitting_a_payload_loses_and_mixes_nothing(kind: ReferralKind, payload: dict[str, int]) -> None:
    parted = split_payload(kind, payload)
    parts = [parted.requested, *parted.unrequested.values()]
    assert {name: value for part in parts for name, value in part.items()} == payload
    assert sum(map(len, parts)) == len(payload)
    assert compartment_of(kind) not in parted.unrequested
    if compartment_of(kind) is Compartment.GEN:
        assert set(parted.requested) <= set(OUTCOMES[kind].payload.model_fields)
