"""The travel gate: every requirement at every checkpoint, every failure at once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from domain.clearance.revocations import INVALIDATES, Trigger
from domain.clearance.travel_gate import Journey, travel_gate
from domain.events.case import ClearanceExpired, ClearanceGranted, ClearanceNotRequired, ClearanceRevoked
from domain.kernel.holds import BLOCKS
from domain.kernel.policy import NEWEST
from domain.kernel.vocabulary import Block, Checkpoint, ClearanceKind, HoldType
from tests.support.builders import (
    AMINATA,
    FLIGHT,
    CaseScenario,
    a_frozen_case,
    a_registered_case,
    a_screened_case,
    a_seated_case,
)

STD = datetime.fromisoformat(FLIGHT["std"])

STA = datetime.fromisoformat(FLIGHT["sta"])

A_SECOND = timedelta(seconds=1)

#                           NOMINATE FREEZE CHECK_IN BOARD
TABLE = {
    "CONSENT_RETURN":       (True,  True,  True,  True),
    "PROTECTION_CLEARANCE": (True,  True,  True,  True),
    "SAFETY_OF_RETURN":     (True,  True,  True,  True),
    "MEDICAL_ASSESSMENT":   (True,  True,  True,  True),
    "FUNDING_ALLOCATED":    (True,  True,  True,  True),
    "TRAVEL_DOCUMENT":      (False, True,  True,  True),
    "EXIT_PERMIT":          (False, True,  True,  True),
    "RECEPTION_CONFIRMED":  (False, True,  True,  True),
    "FIT_TO_TRAVEL":        (False, False, True,  True),
}  # fmt: skip

CELLS = [
    (kind, checkpoint, required)
    for kind, row in TABLE.items()
    for checkpoint, required in zip(Checkpoint, row, strict=True)
]


@pytest.fixture
def ready() -> CaseScenario:
    """A person who meets all requirements for travel."""
    return a_frozen_case()


def without(scenario: CaseScenario, kind: str) -> CaseScenario:
    del scenario.case.clearances[ClearanceKind(kind)]
    return scenario


def ending(scenario: CaseScenario, kind: str, at: datetime) -> CaseScenario:
    scenario.case.clearances[ClearanceKind(kind)].valid_until = at
    return scenario


@pytest.mark.parametrize("checkpoint", list(Checkpoint))
def test_a_person_who_meets_all_requirements_passes_every_checkpoint(
    ready: CaseScenario, checkpoint: Checkpoint
) -> None:
    assert ready.failures(checkpoint) == ()


@pytest.mark.parametrize(("kind", "checkpoint", "required"), CELLS)
def test_each_clearance_is_required_where_the_table_says(
    ready: CaseScenario, kind: str, checkpoint: str, required: bool
) -> None:
    expected = (f"GATE.{kind}.MISSING",) if required else ()
    assert without(ready, kind).failures(checkpoint) == expected


@pytest.mark.parametrize("kind", sorted(set(TABLE) - {"TRAVEL_DOCUMENT"}))
def test_a_clearance_that_ends_exactly_at_departure_is_sufficient(ready: CaseScenario, kind: str) -> None:
    assert ending(ready, kind, STD).failures() == ()


@pytest.mark.parametrize("kind", sorted(set(TABLE) - {"TRAVEL_DOCUMENT"}))
def test_a_clearance_that_ends_a_second_before_departure_is_not_sufficient(ready: CaseScenario, kind: str) -> None:
    assert ending(ready, kind, STD - A_SECOND).failures() == (f"GATE.{kind}.EXPIRES_BEFORE_STD",)


def test_a_document_must_be_valid_until_a_day_after_arrival(ready: CaseScenario) -> None:
    assert ending(ready, "TRAVEL_DOCUMENT", STA + timedelta(days=1)).failures() == ()


def test_a_document_that_ends_a_second_sooner_is_not_sufficient(ready: CaseScenario) -> None:
    ending(ready, "TRAVEL_DOCUMENT", STA + timedelta(days=1) - A_SECOND)
    assert ready.failures() == ("GATE.TRAVEL_DOCUMENT.EXPIRES_BEFORE_ARRIVAL",)


@pytest.mark.parametrize("kind", sorted(TABLE))
@pytest.mark.parametrize(
    ("ended", "failure"),
    [
        (lambda kind: ClearanceExpired(kind=kind), "EXPIRED"),
        (lambda kind: ClearanceRevoked(kind=kind, cause="x"), "REVOKED"),
    ],
    ids=["expired", "revoked"],
)
def test_an_ended_clearance_is_not_sufficient(ready: CaseScenario, kind: str, ended: object, failure: str) -> None:
    ended(ClearanceKind(kind)).apply_to(ready.case)  # type: ignore[operator]
    assert ready.failures() == (f"GATE.{kind}.{failure}",)


def test_a_clearance_that_is_not_required_is_not_missing(ready: CaseScenario) -> None:
    ClearanceNotRequired(kind=ClearanceKind.EXIT_PERMIT, cause="no longer asked").apply_to(ready.case)
    assert ready.failures() == ()


BLOCKING = [(kind, checkpoint) for kind in HoldType for checkpoint in Checkpoint]


@pytest.mark.parametrize(("kind", "checkpoint"), BLOCKING)
def test_each_hold_blocks_what_its_table_says(ready: CaseScenario, kind: HoldType, checkpoint: Checkpoint) -> None:
    ready.send("PlaceHold", hold_type=kind, reason="x")
    at_the_airport = checkpoint in {Checkpoint.CHECK_IN, Checkpoint.BOARD}
    stops = Block.MANIFEST in BLOCKS[kind] or (at_the_airport and Block.BOARDING in BLOCKS[kind])
    assert ready.failures(checkpoint) == (failures_under(kind, at_the_airport) if stops else ())


def failures_under(kind: HoldType, at_the_airport: bool = True) -> tuple[str, ...]:
    """A consent hold also invalidates the earlier reaffirmation, which is required only at the airport."""
    withdrawn = kind is HoldType.CONSENT and at_the_airport
    return (f"GATE.HOLD.{kind}",) + (("GATE.REAFFIRMATION.WITHDRAWN",) if withdrawn else ())


@pytest.mark.parametrize("kind", sorted(set(HoldType) - {HoldType.COMPLAINT_SAFEGUARD}))
def test_every_hold_but_a_complaint_keeps_the_person_off_the_aircraft(ready: CaseScenario, kind: HoldType) -> None:
    ready.send("PlaceHold", hold_type=kind, reason="x")
    assert ready.failures() == failures_under(kind)


def test_all_failures_are_reported_together() -> None:
    assert a_registered_case().having("PlaceHold", hold_type="LEGAL", reason="x").failures() == (
        "GATE.HOLD.LEGAL",
        "GATE.CONSENT_RETURN.MISSING",
        "GATE.PROTECTION_CLEARANCE.MISSING",
        "GATE.SAFETY_OF_RETURN.MISSING",
        "GATE.MEDICAL_ASSESSMENT.MISSING",
        "GATE.FUNDING_ALLOCATED.MISSING",
        "GATE.TRAVEL_DOCUMENT.MISSING",
        "GATE.EXIT_PERMIT.MISSING",
        "GATE.RECEPTION_CONFIRMED.MISSING",
        "GATE.FIT_TO_TRAVEL.MISSING",
        "GATE.REAFFIRMATION.MISSING",
    )


def test_nomination_requires_a_confirmed_nationality() -> None:
    assert "GATE.TRAVEL_DOCUMENT.NATIONALITY_NOT_CONFIRMED" in a_screened_case().failures("NOMINATE")


@pytest.mark.parametrize("checkpoint", ["CHECK_IN", "BOARD"])
@pytest.mark.parametrize(("before", "failures"), [(A_SECOND * 0, ()), (A_SECOND, ("GATE.REAFFIRMATION.MISSING",))])
def test_a_reaffirmation_is_valid_for_72_hours(checkpoint: str, before: timedelta, failures: tuple[str, ...]) -> None:
    scenario = a_seated_case().at("2026-12-11T09:00:00Z")
    scenario.now -= before
    scenario.having("ReaffirmVoluntaryReturn").at("2026-12-13T09:00:00Z").having("IssueFitToTravel", result="FIT")
    scenario.at("2026-12-14T07:00:00Z")
    assert scenario.failures(checkpoint) == failures


@pytest.mark.parametrize("checkpoint", ["CHECK_IN", "BOARD"])
@pytest.mark.parametrize(("before", "failures"), [(A_SECOND * 0, ()), (A_SECOND, ("GATE.REAFFIRMATION.MISSING",))])
def test_a_reaffirmation_counts_from_when_it_was_made_not_entered(
    checkpoint: str, before: timedelta, failures: tuple[str, ...]
) -> None:
    scenario = a_seated_case().at("2026-12-12T00:00:00Z").having("IssueFitToTravel", result="FIT")
    scenario.at("2026-12-14T07:00:00Z")
    scenario.claimed_at = STD - timedelta(hours=72) - before
    scenario.having("ReaffirmVoluntaryReturn")
    assert scenario.failures(checkpoint) == failures


def test_a_reaffirmation_dated_in_the_future_counts_from_receipt() -> None:
    scenario = a_seated_case().at("2026-12-11T08:00:00Z")
    scenario.claimed_at = STD
    scenario.having("ReaffirmVoluntaryReturn").at("2026-12-14T07:00:00Z")
    assert "GATE.REAFFIRMATION.MISSING" in scenario.failures()


def test_a_reaffirmation_made_before_a_withdrawal_and_entered_after_it_does_not_count(ready: CaseScenario) -> None:
    ready.having("WithdrawVoluntaryReturn", channel="AIRPORT")
    ready.claimed_at = ready.now - timedelta(minutes=10)
    ready.after(minutes=5).having("ReaffirmVoluntaryReturn")
    assert "GATE.REAFFIRMATION.WITHDRAWN" in ready.failures()


def test_a_reaffirmation_before_a_voluntariness_doubt_does_not_count_after_it_is_resolved(
    ready: CaseScenario,
) -> None:
    ready.send("PlaceHold", hold_type="CONSENT", reason="somebody spoke for them")
    ready.after(minutes=5).having("AssessVoluntariness", understood=True, free_of_pressure=True, in_private=True)
    ready.having("SignVoluntaryReturnDeclaration", country="NGA", form_version="1", language="en")
    ready.having("LiftHold", hold_id=ready.held("CONSENT").hold_id, reason="they want to go")
    assert ready.failures() == ("GATE.REAFFIRMATION.WITHDRAWN",)
    assert ready.after(minutes=5).having("ReaffirmVoluntaryReturn").failures() == ()


def test_a_reaffirmation_entered_late_does_not_hide_a_later_one(ready: CaseScenario) -> None:
    ready.claimed_at = ready.now - timedelta(days=5)
    ready.having("ReaffirmVoluntaryReturn")
    assert ready.failures() == ()


def test_reaffirmation_is_required_only_at_the_airport() -> None:
    assert a_seated_case().failures("FREEZE") == ()


def test_a_withdrawal_after_the_reaffirmation_counts(ready: CaseScenario) -> None:
    ready.send("WithdrawVoluntaryReturn", channel="AIRPORT")
    assert {"GATE.REAFFIRMATION.WITHDRAWN", "GATE.CONSENT_RETURN.REVOKED", "GATE.HOLD.CONSENT"} <= set(ready.failures())


@pytest.mark.parametrize(
    ("checkpoint", "failures"),
    [
        ("NOMINATE", ()),
        ("FREEZE", ("GATE.SIGNAL.IN_DOUBT",)),
        ("CHECK_IN", ("GATE.SIGNAL.IN_DOUBT",)),
        ("BOARD", ("GATE.SIGNAL.IN_DOUBT",)),
    ],
)
def test_a_quarantined_signal_counts_against_travel(
    ready: CaseScenario, checkpoint: str, failures: tuple[str, ...]
) -> None:
    ready.having_signal("MEDICAL_ASSESSMENT", "COMPLETED", "TREATMENT_REQUIRED")
    assert ready.failures(checkpoint) == failures


def test_a_signal_set_aside_no_longer_counts(ready: CaseScenario) -> None:
    ready.having_signal("MEDICAL_ASSESSMENT", "COMPLETED", "TREATMENT_REQUIRED")
    signal = next(iter(ready.referral("MEDICAL_ASSESSMENT").disputed))
    ready.having("ResolveQuarantinedSignal", signal_id=signal, decision="IGNORE", reason="another patient")
    assert ready.failures() == ()


@pytest.mark.parametrize(("checkpoint", "required"), list(zip(Checkpoint, (False, True, True, True), strict=True)))
def test_a_detained_person_requires_a_release(ready: CaseScenario, checkpoint: str, required: bool) -> None:
    ready.case.living_situation = ready.case.living_situation.__class__.DETENTION_OFFICIAL
    assert ready.failures(checkpoint) == (("GATE.RELEASE_AUTHORISATION.MISSING",) if required else ())


@pytest.mark.parametrize("checkpoint", list(Checkpoint))
@pytest.mark.parametrize(
    ("born", "failures"),
    [(date(2008, 12, 15), ("GATE.CHILD_BEST_INTERESTS.MISSING",)), (date(2008, 12, 14), ())],
    ids=["eighteen the day after departure", "eighteen on the day of departure"],
)
def test_a_child_at_departure_requires_a_best_interests_clearance(
    ready: CaseScenario, checkpoint: str, born: date, failures: tuple[str, ...]
) -> None:
    ready.case.person = AMINATA.model_copy(update={"date_of_birth": born})
    assert ready.failures(checkpoint) == failures


def test_validity_is_checked_against_the_flight_in_question(ready: CaseScenario) -> None:
    later = Journey(STD + timedelta(days=3), STA + timedelta(days=3))
    failures = travel_gate(ready.case, Checkpoint.BOARD, later, NEWEST.in_force, ())
    assert failures == ("GATE.FIT_TO_TRAVEL.EXPIRES_BEFORE_STD", "GATE.REAFFIRMATION.MISSING")


@pytest.mark.parametrize("checkpoint", list(Checkpoint))
@pytest.mark.parametrize(
    ("country", "failures"), [(None, ()), ("NGA", ()), ("SDN", ("GATE.DESTINATION.OTHER_COUNTRY",))]
)
def test_the_destination_must_be_the_declared_country(
    ready: CaseScenario, checkpoint: Checkpoint, country: str | None, failures: tuple[str, ...]
) -> None:
    journey = Journey(STD, STA, country)
    assert travel_gate(ready.case, checkpoint, journey, NEWEST.in_force, ()) == failures


# Invalidation (rule INVALIDATION.TABLE)

ENDS = {
    "RETURN_WITHDRAWN": "AIRLINE_MEDICAL CONSENT_RETURN ESCORT_ASSIGNED EXIT_PERMIT RECEPTION_CONFIRMED",
    "NOT_VOLUNTARY": "CONSENT_RETURN",
    "NOT_ELIGIBLE": "CONSENT_RETURN",
    "NOT_SAFE_TO_RETURN": "CONSENT_RETURN SAFETY_OF_RETURN",
    "PROTECTION_HOLD": "PROTECTION_CLEARANCE",
    "NATIONALITY_CHANGED": "CONSENT_RETURN EXIT_PERMIT RECEPTION_CONFIRMED SAFETY_OF_RETURN TRAVEL_DOCUMENT",
    "NATIONALITY_NOT_CONFIRMED": "EXIT_PERMIT TRAVEL_DOCUMENT",
    "DESTINATION_CHANGED": "CHILD_BEST_INTERESTS RECEPTION_CONFIRMED SAFETY_OF_RETURN",
    "AREA_CHANGED": "RECEPTION_CONFIRMED SAFETY_OF_RETURN",
    "FLIGHT_CHANGED": "AIRLINE_MEDICAL ESCORT_ASSIGNED RECEPTION_CONFIRMED",
    "DOCUMENT_LOST": "EXIT_PERMIT TRAVEL_DOCUMENT",
    "DOCUMENT_REFUSED": "EXIT_PERMIT TRAVEL_DOCUMENT",
    "PERMIT_REFUSED": "EXIT_PERMIT",
    "ADVISORY_CHANGED": "SAFETY_OF_RETURN",
    "DETAINED": "CONSENT_RETURN PROTECTION_CLEARANCE RELEASE_AUTHORISATION",
}


@pytest.mark.parametrize("trigger", list(Trigger))
def test_each_trigger_ends_what_its_row_says(trigger: Trigger) -> None:
    assert " ".join(sorted(INVALIDATES[trigger].revokes)) == ENDS[trigger]


@pytest.mark.parametrize("trigger", list(Trigger))
def test_these_triggers_release_the_seat(trigger: Trigger) -> None:
    seats = {"NOT_ELIGIBLE", "NOT_SAFE_TO_RETURN", "NATIONALITY_CHANGED", "DESTINATION_CHANGED", "DETAINED"}
    assert INVALIDATES[trigger].seat is (trigger in seats)


def test_a_clearance_states_its_validity() -> None:
    granted = ClearanceGranted(
        kind=ClearanceKind.EXIT_PERMIT,
        valid_from=datetime(2026, 12, 1, tzinfo=UTC),
        valid_until=datetime(2026, 12, 31, tzinfo=UTC),
    )
    assert granted.say() == (
        "Clearance granted: exit permit, valid from 01 December 2026 00:00 UTC until 31 December 2026 00:00 UTC."
    )


@pytest.mark.parametrize(("born", "child"), [(date(2008, 12, 15), True), (date(2008, 12, 14), False)])
def test_the_local_day_of_departure_decides_who_is_a_child(ready: CaseScenario, born: date, child: bool) -> None:
    ready.case.person = AMINATA.model_copy(update={"date_of_birth": born})
    overnight = Journey(STD.replace(hour=23), STD.replace(hour=23) + timedelta(hours=5))
    failures = travel_gate(ready.case, Checkpoint.NOMINATE, overnight, NEWEST.in_force, ())
    assert ("GATE.CHILD_BEST_INTERESTS.MISSING" in failures) is child
