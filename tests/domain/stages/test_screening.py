"""Screening: the listing of these tests is its decision table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final

import pytest

from domain.kernel.vocabulary import ClearanceKind
from tests.support.assertions import neutral, public, redacted
from tests.support.builders import (
    AMINATA,
    CaseScenario,
    a_boarded_case,
    a_case,
    a_cleared_case,
    a_departed_case,
    a_frozen_case,
    a_registered_case,
    a_screened_case,
    a_seated_case,
    folded,
)

REGISTRATION: dict[str, Any] = {
    "person": AMINATA,
    "country_of_return": "NGA",
    "channel": "WALK_IN",
    "office": "Tripoli",
    "consent_to_data_processing": True,
}

DECLARATION = {"country": "NGA", "form_version": "VRD-1", "language": "en"}

FREE: dict[str, Any] = {"understood": True, "free_of_pressure": True, "in_private": True}


def an_interviewed_case(**voluntariness: Any) -> CaseScenario:
    """All requirements of eligibility are met, except the signed declaration."""
    scenario = a_registered_case().having("RecordNonRefoulementScreen", outcome="NO_CLAIM")
    scenario.having("RecordVulnerabilityAssessment", overall_risk="LOW")
    return scenario.having("AssessVoluntariness", **(FREE | voluntariness))


def test_a_registered_person_is_screened_at_once() -> None:
    scenario = a_registered_case()
    assert scenario.names == ["CaseRegistered", "ConsentGiven", "StageOpened", "ScreeningStarted"]
    assert scenario.case.phase == "INTAKE"


def test_what_was_said_just_before_screening_opened_and_taken_in_just_after_counts() -> None:
    """A message is timestamped on insert and visible on commit; a stage may open in between."""
    scenario = a_registered_case()
    scenario.now -= timedelta(milliseconds=1)
    scenario.having("RecordCounselling", topics=("ALTERNATIVES",), language="en")
    scenario.having("RecordNonRefoulementScreen", outcome="NO_CLAIM")
    scenario.having("RecordVulnerabilityAssessment", overall_risk="LOW")
    scenario.having("AssessVoluntariness", understood=True, free_of_pressure=True, in_private=True)
    scenario.having("SignVoluntaryReturnDeclaration", country="NGA", form_version="VRD-1", language="en")
    scenario.having("DetermineEligibility", decision="ELIGIBLE").having("CompleteScreening")
    assert scenario.status("SCREENING") == "COMPLETED"


def test_without_consent_no_case_is_opened() -> None:
    refusal = a_case().refused("RegisterCase", **(REGISTRATION | {"consent_to_data_processing": False}))
    assert refusal.rule == "CONSENT.DATA_PROCESSING"
    assert refusal.field == "consent_to_data_processing"


def test_an_emergency_opens_a_case_without_consent() -> None:
    scenario = a_case()
    scenario.send(
        "RegisterCase", **(REGISTRATION | {"consent_to_data_processing": False, "emergency_override": "unconscious"})
    )
    assert scenario.names == ["CaseRegistered"]


def test_a_case_is_registered_once() -> None:
    assert a_registered_case().refused("RegisterCase", **REGISTRATION).rule == "CASE.EXISTS"


def test_nobody_is_born_tomorrow() -> None:
    unborn = AMINATA.model_copy(update={"date_of_birth": date(9999, 1, 1)})
    assert a_case().refused("RegisterCase", **(REGISTRATION | {"person": unborn})).rule == "PERSON.NOT_BORN_YET"


def test_a_child_is_held_from_the_first_day() -> None:
    scenario = a_registered_case(AMINATA.model_copy(update={"date_of_birth": date(2010, 1, 1)}))
    assert scenario.held("CHILD").owner == "CHILD_PROTECTION_OFFICER"


def test_a_detained_person_is_held_from_the_first_day() -> None:
    assert a_registered_case(living_situation="DETENTION_OFFICIAL").has_hold("DETENTION")


def test_fear_of_return_holds_the_case_and_keeps_documents_closed() -> None:
    scenario = a_registered_case().having("RecordNonRefoulementScreen", outcome="CLAIM", account="they will kill me")
    assert scenario.held("PROTECTION").blocks == {"MANIFEST", "BOARDING", "EMBASSY_DISCLOSURE", "AUTHORITY_DISCLOSURE"}
    assert "STAFF.PRIVATE_INTERVIEW" in scenario.waits_for()


PROTECTED: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "fear": ("RecordNonRefoulementScreen", {"outcome": "UNSURE"}),
    "another matter heard in private": ("RecordNonRefoulementScreen", {"outcome": "NO_CLAIM", "concern": "sold"}),
    "a concern": ("RaiseProtectionConcern", {"risk_level": "HIGH", "concern": "threatened"}),
    "an officer": ("PlaceHold", {"hold_type": "PROTECTION", "reason": "x"}),
}


@pytest.mark.parametrize("cause", PROTECTED)
def test_after_any_matter_of_protection_the_private_question_is_asked_anew(cause: str) -> None:
    name, fields = PROTECTED[cause]
    scenario = an_interviewed_case().having("RecordVulnerabilityAssessment", overall_risk="LOW")
    scenario.having("SignVoluntaryReturnDeclaration", **DECLARATION).having(name, **fields)
    refusal = scenario.refused("DetermineEligibility", decision="ELIGIBLE")
    assert refusal.failures == ("STAFF.PRIVATE_INTERVIEW",)
    scenario.having("RecordNonRefoulementScreen", outcome="NO_CLAIM").having(
        "DetermineEligibility", decision="ELIGIBLE"
    )
    assert scenario.case.phase == "PRE_DEPARTURE"


@pytest.mark.parametrize("doubt", [{"capacity": "DOUBT"}, {"understood": False}, {"coercion_indicators": ("debt",)}])
def test_doubt_about_free_will_stops_the_declaration(doubt: dict[str, object]) -> None:
    refusal = an_interviewed_case(**doubt).refused("SignVoluntaryReturnDeclaration", **DECLARATION)
    assert refusal.rule == "VRD.VOLUNTARINESS"
    assert "'doubt'" in refusal.detail


def test_pressure_stops_the_declaration() -> None:
    refusal = an_interviewed_case(free_of_pressure=False).refused("SignVoluntaryReturnDeclaration", **DECLARATION)
    assert "'not voluntary'" in refusal.detail


def test_nobody_declares_before_being_asked_whether_they_want_to() -> None:
    assert a_registered_case().refused("SignVoluntaryReturnDeclaration", **DECLARATION).rule == "VRD.VOLUNTARINESS"


def a_detained_case() -> CaseScenario:
    return a_registered_case(living_situation="DETENTION_OFFICIAL").having("AssessVoluntariness", **FREE)


def test_in_detention_one_interview_is_not_enough() -> None:
    assert a_detained_case().refused("SignVoluntaryReturnDeclaration", **DECLARATION).rule == "VRD.TWO_INTERVIEWS"


def test_in_detention_the_second_interview_is_another_persons() -> None:
    scenario = a_detained_case().after(hours=25).having("AssessVoluntariness", **FREE)
    assert scenario.refused("SignVoluntaryReturnDeclaration", **DECLARATION).rule == "VRD.TWO_INTERVIEWS"


def test_in_detention_the_second_interview_is_a_day_later() -> None:
    scenario = a_detained_case().after(hours=23).having("AssessVoluntariness", by="staff:omar", **FREE)
    assert scenario.refused("SignVoluntaryReturnDeclaration", **DECLARATION).rule == "VRD.TWO_INTERVIEWS"


def test_in_detention_one_of_the_interviews_is_private() -> None:
    crowded = FREE | {"in_private": False}
    scenario = a_registered_case(living_situation="DETENTION_OFFICIAL").having("AssessVoluntariness", **crowded)
    scenario.after(hours=25).having("AssessVoluntariness", by="staff:omar", **crowded)
    assert scenario.refused("SignVoluntaryReturnDeclaration", **DECLARATION).rule == "VRD.TWO_INTERVIEWS"


def test_in_detention_two_people_a_day_apart_are_enough() -> None:
    scenario = a_detained_case().after(hours=25).having("AssessVoluntariness", by="staff:omar", **FREE)
    scenario.having("SignVoluntaryReturnDeclaration", **DECLARATION)
    assert scenario.names[-1] == "VoluntaryReturnDeclared"


@pytest.mark.parametrize("released", [False, True])
def test_what_was_said_before_detention_permits_nothing_in_it_or_after_it(released: bool) -> None:
    scenario = a_frozen_case().having("RecordDetention", situation="DETENTION_OFFICIAL")
    assert scenario.case.seat is None
    scenario.having("GrantClearance", kind="PROTECTION_CLEARANCE", evidence="visited")
    scenario.having("GrantClearance", kind="RELEASE_AUTHORISATION", evidence="the site agreed")
    if released:
        scenario.having("RecordRelease")
    scenario.having("LiftHold", hold_id=scenario.held("DETENTION").hold_id, reason="the site agreed")
    assert "GATE.CONSENT_RETURN.REVOKED" in scenario.failures()
    assert scenario.refused("SignVoluntaryReturnDeclaration", **DECLARATION).rule == "VRD.VOLUNTARINESS"
    scenario.having("AssessVoluntariness", **FREE)
    assert scenario.refused("SignVoluntaryReturnDeclaration", **DECLARATION).rule == "VRD.TWO_INTERVIEWS"
    scenario.after(hours=24).having("AssessVoluntariness", by="staff:omar", **FREE)
    scenario.having("SignVoluntaryReturnDeclaration", **DECLARATION)
    assert scenario.case.has_clearance(ClearanceKind.CONSENT_RETURN, scenario.now)


def test_an_interview_from_before_detention_is_not_the_first_of_the_two() -> None:
    scenario = a_screened_case().after(hours=1).having("RecordDetention", situation="DETENTION_OFFICIAL")
    scenario.after(hours=30).having("AssessVoluntariness", by="staff:omar", **FREE)
    assert scenario.refused("SignVoluntaryReturnDeclaration", **DECLARATION).rule == "VRD.TWO_INTERVIEWS"


def test_an_interview_held_before_detention_and_recorded_after_it_does_not_count() -> None:
    scenario = a_screened_case().after(hours=2).having("RecordDetention", situation="DETENTION_OFFICIAL").after(hours=1)
    scenario.claimed_at = scenario.now - timedelta(hours=2)
    scenario.having("AssessVoluntariness", **FREE)
    assert scenario.refused("SignVoluntaryReturnDeclaration", **DECLARATION).rule == "VRD.VOLUNTARINESS"


def test_the_two_interviews_are_a_day_apart_by_when_they_were_held() -> None:
    scenario = a_detained_case().after(hours=30)
    scenario.claimed_at = scenario.now - timedelta(hours=20)
    scenario.having("AssessVoluntariness", by="staff:omar", **FREE)
    assert scenario.refused("SignVoluntaryReturnDeclaration", **DECLARATION).rule == "VRD.TWO_INTERVIEWS"


def test_release_does_not_spare_the_second_interview() -> None:
    scenario = a_detained_case().having("RecordRelease")
    assert scenario.refused("SignVoluntaryReturnDeclaration", **DECLARATION).rule == "VRD.TWO_INTERVIEWS"


def test_eligibility_says_everything_that_is_missing() -> None:
    refusal = a_registered_case().refused("DetermineEligibility", decision="ELIGIBLE")
    assert refusal.rule == "ELIGIBILITY.NOT_READY"
    assert refusal.failures == (
        "STAFF.PRIVATE_INTERVIEW",
        "STAFF.VULNERABILITY",
        "STAFF.VOLUNTARINESS",
        "PERSON.DECLARATION",
    )


@pytest.mark.parametrize(
    ("days", "missing"),
    [(90, ()), (91, ("STAFF.PRIVATE_INTERVIEW", "STAFF.VULNERABILITY", "STAFF.VOLUNTARINESS"))],
)
def test_what_was_asked_ninety_days_ago_is_asked_again(days: int, missing: tuple[str, ...]) -> None:
    scenario = an_interviewed_case().having("SignVoluntaryReturnDeclaration", **DECLARATION).after(days=days)
    assert scenario.waits_for()[: len(missing)] == list(missing)
    if missing:
        assert scenario.refused("DetermineEligibility", decision="ELIGIBLE").failures == missing
    else:
        assert scenario.having("DetermineEligibility", decision="ELIGIBLE").case.phase == "PRE_DEPARTURE"


def test_an_ineligible_person_keeps_an_open_case_and_does_not_travel() -> None:
    scenario = a_registered_case().having("DetermineEligibility", decision="INELIGIBLE")
    assert scenario.case.phase == "INTAKE"
    assert scenario.refused("CompleteScreening").rule == "SCREENING.NOT_ELIGIBLE"


NO_LONGER = [
    ("UNDECIDED", "CONSENT"),
    ("DECLINED", "CONSENT"),
    ("INELIGIBLE", None),
    ("NOT_SAFE_TO_RETURN", "SAFETY"),
]


@pytest.mark.parametrize(("decision", "held"), NO_LONGER)
@pytest.mark.parametrize("beginning", [a_screened_case, a_frozen_case, a_boarded_case])
def test_whoever_is_found_eligible_no_longer_does_not_travel_and_is_screened_again(
    beginning: Callable[[], CaseScenario], decision: str, held: str | None
) -> None:
    scenario = beginning().having("DetermineEligibility", decision=decision)
    assert "GATE.CONSENT_RETURN.REVOKED" in scenario.failures()
    assert [hold.type for hold in scenario.case.holds.values()] == ([held] if held else [])
    assert scenario.case.seat is None
    assert (scenario.case.phase, scenario.status("SCREENING")) == ("PRE_DEPARTURE", "REOPENED")


def test_a_place_that_is_not_safe_any_more_is_assessed_again() -> None:
    scenario = a_frozen_case().having("DetermineEligibility", decision="NOT_SAFE_TO_RETURN")
    assert not scenario.case.has_clearance(ClearanceKind.SAFETY_OF_RETURN, scenario.now)


def test_after_a_decision_against_a_signature_alone_permits_nothing() -> None:
    scenario = a_frozen_case().having("DetermineEligibility", decision="INELIGIBLE")
    scenario.having("SignVoluntaryReturnDeclaration", **DECLARATION)
    assert not scenario.case.has_clearance(ClearanceKind.CONSENT_RETURN, scenario.now)
    scenario.having("DetermineEligibility", decision="ELIGIBLE").having("CompleteScreening")
    assert scenario.case.has_clearance(ClearanceKind.CONSENT_RETURN, scenario.now)
    assert scenario.status("SCREENING") == "COMPLETED"


def test_a_decision_after_the_flight_holds_nothing() -> None:
    scenario = a_departed_case().having("DetermineEligibility", decision="DECLINED")
    assert not scenario.case.holds
    assert scenario.case.has_clearance(ClearanceKind.CONSENT_RETURN, scenario.now)


def test_screening_completes_with_a_permission_that_counts_from_the_signature() -> None:
    scenario = a_screened_case()
    assert scenario.status("SCREENING") == "COMPLETED"
    assert scenario.case.phase == "PRE_DEPARTURE"
    granted = scenario.clearance("CONSENT_RETURN")
    assert granted is not None
    assert granted.valid_until is not None
    assert (granted.valid_until - scenario.now).days == 180


def test_an_early_signature_does_not_lengthen_the_permission() -> None:
    scenario = an_interviewed_case().having(
        "SignVoluntaryReturnDeclaration", signed_at="2026-11-13T08:00:00Z", **DECLARATION
    )
    scenario.having("DetermineEligibility", decision="ELIGIBLE").having("CompleteScreening")
    granted = scenario.clearance("CONSENT_RETURN")
    assert granted is not None
    assert granted.valid_until is not None
    assert (granted.valid_until - scenario.now).days == 170


def test_a_withdrawn_wish_is_not_revived_by_completing_screening_again() -> None:
    scenario = a_screened_case().having("WithdrawVoluntaryReturn", channel="PHONE")
    assert scenario.refused("CompleteScreening").rule == "SCREENING.NOT_OPEN"


def test_a_new_declaration_after_a_withdrawal_is_a_new_permission() -> None:
    scenario = a_screened_case().having("WithdrawVoluntaryReturn", channel="PHONE").after(days=3)
    scenario.having("AssessVoluntariness", **FREE).having("SignVoluntaryReturnDeclaration", **DECLARATION)
    granted = scenario.clearance("CONSENT_RETURN")
    assert granted is not None
    assert granted.status == "VALID"


NOT_FREE: tuple[dict[str, Any], ...] = (
    {"free_of_pressure": False, "capacity": "LACKS", "coercion_indicators": ("armed men",)},
    {"capacity": "DOUBT"},
    {"understood": False},
    {"coercion_indicators": ("debt",)},
)


@pytest.mark.parametrize("doubt", NOT_FREE)
@pytest.mark.parametrize("beginning", [a_screened_case, a_seated_case, a_frozen_case])
def test_doubt_about_free_will_after_the_signature_stops_the_journey(
    beginning: Callable[[], CaseScenario], doubt: dict[str, Any]
) -> None:
    scenario = beginning().having("AssessVoluntariness", **(FREE | doubt))
    assert scenario.has_hold("CONSENT")
    assert {"GATE.HOLD.CONSENT", "GATE.CONSENT_RETURN.REVOKED"} <= set(scenario.failures())
    assert list(scenario.case.tasks.values())[-1].task == "talk with the person about the wish to return"


@pytest.mark.parametrize("aboard", [("CheckInPassenger",), ("CheckInPassenger", "BoardPassenger")])
@pytest.mark.parametrize("doubt", NOT_FREE)
def test_doubt_about_free_will_takes_the_person_off_until_the_door_closes(
    aboard: tuple[str, ...], doubt: dict[str, Any]
) -> None:
    scenario = a_frozen_case()
    for step in aboard:
        scenario.having(step)
    scenario.having("AssessVoluntariness", **(FREE | doubt))
    assert {"PassengerOffloaded", "SeatReleased"} <= set(scenario.names)
    assert scenario.case.seat is None
    task = list(scenario.case.tasks.values())[-1]
    assert (task.due - scenario.now).total_seconds() == 4 * 3600


def test_doubt_about_free_will_on_the_way_reaches_a_person_and_holds_nothing_any_more() -> None:
    scenario = a_departed_case().having("AssessVoluntariness", **(FREE | {"free_of_pressure": False}))
    assert not scenario.case.holds
    assert "talk with the person about the wish to return" in [task.task for task in scenario.case.tasks.values()]


def test_doubt_about_free_will_before_the_signature_stops_only_the_signature() -> None:
    assert not an_interviewed_case(capacity="DOUBT").case.holds


def test_a_signature_before_the_doubt_completes_no_screening() -> None:
    scenario = an_interviewed_case().having("SignVoluntaryReturnDeclaration", **DECLARATION)
    scenario.having("DetermineEligibility", decision="ELIGIBLE")
    scenario.having("AssessVoluntariness", **(FREE | {"capacity": "DOUBT"})).having("AssessVoluntariness", **FREE)
    assert scenario.refused("CompleteScreening").failures == ("PERSON.DECLARATION",)


IN_DOUBT: tuple[tuple[str, dict[str, Any]], ...] = (
    ("WithdrawVoluntaryReturn", {"channel": "PHONE"}),
    ("AssessVoluntariness", FREE | {"free_of_pressure": False}),
    ("PlaceHold", {"hold_type": "CONSENT", "reason": "his brother answers for him"}),
)


@pytest.mark.parametrize(("doubt", "fields"), IN_DOUBT)
def test_after_a_doubt_the_wish_is_assessed_again_before_it_is_signed_again(doubt: str, fields: dict[str, Any]) -> None:
    scenario = a_screened_case().having(doubt, **fields).after(hours=1)
    assert scenario.refused("SignVoluntaryReturnDeclaration", **DECLARATION).rule == "VRD.VOLUNTARINESS"
    scenario.having("AssessVoluntariness", **FREE).having("SignVoluntaryReturnDeclaration", **DECLARATION)
    scenario.having("LiftHold", hold_id=scenario.held("CONSENT").hold_id, reason="declared again")
    assert scenario.case.has_clearance(ClearanceKind.CONSENT_RETURN, scenario.now)


@pytest.mark.parametrize(("doubt", "fields"), IN_DOUBT)
@pytest.mark.parametrize(("earlier", "may"), [(timedelta(), True), (timedelta(seconds=1), False)])
def test_a_paper_signed_before_a_doubt_is_no_new_wish(
    doubt: str, fields: dict[str, Any], earlier: timedelta, may: bool
) -> None:
    scenario = a_screened_case().after(hours=1).having(doubt, **fields)
    signed = DECLARATION | {"signed_at": (scenario.now - earlier).isoformat()}
    scenario.after(hours=1).having("AssessVoluntariness", **FREE)
    if may:
        assert scenario.having("SignVoluntaryReturnDeclaration", **signed).names[-1] == "ClearanceGranted"
    else:
        refusal = scenario.refused("SignVoluntaryReturnDeclaration", **signed)
        assert (refusal.rule, refusal.field) == ("VRD.SIGNED_BEFORE", "signed_at")


def test_a_paper_that_names_no_time_was_signed_when_the_sender_says() -> None:
    scenario = a_screened_case().after(hours=1).having("WithdrawVoluntaryReturn", channel="PHONE").after(hours=1)
    scenario.having("AssessVoluntariness", **FREE)
    scenario.claimed_at = scenario.now - timedelta(hours=2)
    assert scenario.refused("SignVoluntaryReturnDeclaration", **DECLARATION).rule == "VRD.SIGNED_BEFORE"


@pytest.mark.parametrize(("doubt", "fields"), IN_DOUBT)
def test_a_hold_for_an_older_doubt_is_not_lifted_after_a_newer_one(doubt: str, fields: dict[str, Any]) -> None:
    scenario = a_screened_case().having("WithdrawVoluntaryReturn", channel="PHONE").after(hours=1)
    first = scenario.held("CONSENT").hold_id
    scenario.having("AssessVoluntariness", **FREE).having("SignVoluntaryReturnDeclaration", **DECLARATION)
    scenario.having(doubt, **fields)
    assert scenario.refused("LiftHold", hold_id=first, reason="declared again").rule == "HOLD.CONSENT"


ELSEWHERE = DECLARATION | {"country": "SDN"}

FOR_THE_COUNTRY = ("SAFETY_OF_RETURN", "RECEPTION_CONFIRMED")


@pytest.mark.parametrize("beginning", [a_seated_case, a_frozen_case, a_boarded_case])
def test_another_country_ends_what_was_cleared_for_the_first_and_gives_the_seat_back(
    beginning: Callable[[], CaseScenario],
) -> None:
    scenario = beginning().having("SignVoluntaryReturnDeclaration", **ELSEWHERE)
    for kind in FOR_THE_COUNTRY:
        ended = scenario.clearance(kind)
        assert ended is not None
        assert (ended.status, ended.cause) == ("REVOKED", "DESTINATION_CHANGED")
    assert scenario.named("SeatReleased")[-1].facts["cause"] == "DESTINATION_CHANGED"
    assert scenario.case.seat is None
    assert scenario.referral("RECEPTION").status == "CANCELLED"
    assert scenario.case.has_clearance(ClearanceKind.CONSENT_RETURN, scenario.now), (
        "the new wish is as good as the old one"
    )


@pytest.mark.parametrize("beginning", [a_seated_case, a_frozen_case])
def test_another_place_in_the_same_country_ends_what_was_cleared_for_the_first_and_keeps_the_seat(
    beginning: Callable[[], CaseScenario],
) -> None:
    scenario = beginning()
    asked = len(scenario.asked("RECEPTION"))
    scenario.having("SignVoluntaryReturnDeclaration", **DECLARATION, locality="Kano")
    for kind in FOR_THE_COUNTRY:
        ended = scenario.clearance(kind)
        assert ended is not None
        assert (ended.status, ended.cause) == ("REVOKED", "AREA_CHANGED")
    assert scenario.case.seat is not None
    assert [referral.status for referral in scenario.asked("RECEPTION")[asked - 1 :]] == ["CANCELLED", "SENT"]
    assert scenario.case.has_clearance(ClearanceKind.CONSENT_RETURN, scenario.now)


def test_a_place_is_another_one_once_it_differs_from_the_last_one_named_or_comes_after_safety_was_cleared() -> None:
    scenario = a_screened_case()
    for locality, anew in (("Kano", False), (None, False), ("kano", False), ("Lagos", True), ("Lagos", False)):
        scenario.having("SignVoluntaryReturnDeclaration", **DECLARATION, locality=locality)
        assert scenario.named("VoluntaryReturnDeclared")[-1].facts["place_anew"] is anew, locality
    first = a_cleared_case().having("SignVoluntaryReturnDeclaration", **DECLARATION, locality="Kano")
    assert first.named("VoluntaryReturnDeclared")[-1].facts["place_anew"]


def test_that_a_place_is_another_one_is_public_and_which_it_is_is_not() -> None:
    scenario = a_cleared_case().having("SignVoluntaryReturnDeclaration", **DECLARATION, locality="Kano")
    declared = scenario.named("VoluntaryReturnDeclared")[-1]
    assert "Kano" not in neutral(declared)
    assert public(folded(redacted(event) for event in scenario.events)) == public(scenario.case)


def test_whoever_was_asked_to_receive_in_the_first_country_is_asked_no_more() -> None:
    scenario = a_screened_case().having("CreateReferral", kind="RECEPTION")
    scenario.having("SignVoluntaryReturnDeclaration", **ELSEWHERE)
    assert scenario.referral("RECEPTION").status == "CANCELLED"


def test_the_same_country_again_ends_nothing() -> None:
    scenario = a_frozen_case().having("SignVoluntaryReturnDeclaration", **DECLARATION)
    assert scenario.failures() == ()
    assert scenario.case.seat is not None


def test_the_country_named_at_registration_is_not_binding_until_something_was_cleared_for_it() -> None:
    scenario = an_interviewed_case()
    decided = scenario.send("SignVoluntaryReturnDeclaration", **ELSEWHERE)
    assert [event.name for event in decided] == ["VoluntaryReturnDeclared"]
    assert scenario.case.country_of_return == "SDN"


def test_a_signature_withdrawn_during_screening_has_to_be_given_again() -> None:
    scenario = an_interviewed_case().having("SignVoluntaryReturnDeclaration", **DECLARATION)
    scenario.having("WithdrawVoluntaryReturn", channel="OFFICE")
    assert scenario.refused("DetermineEligibility", decision="ELIGIBLE").failures == ("PERSON.DECLARATION",)


def test_a_consent_that_was_never_given_cannot_be_withdrawn() -> None:
    assert a_registered_case().refused("WithdrawConsent", purpose="SHARE_EMBASSY").rule == "CONSENT.NEVER_GIVEN"


def test_a_refused_consent_lets_nothing_leave() -> None:
    scenario = a_registered_case().having(
        "RecordConsent", purpose="SHARE_CLINIC", given=False, form_version="1", language="en"
    )
    scenario.having("CreateReferral", kind="MEDICAL_ASSESSMENT")
    assert scenario.referral("MEDICAL_ASSESSMENT").status == "DRAFT"


def test_a_draft_leaves_when_the_consent_comes() -> None:
    scenario = a_registered_case().having("CreateReferral", kind="MEDICAL_ASSESSMENT")
    scenario.having("RecordConsent", purpose="SHARE_CLINIC", form_version="1", language="en")
    assert scenario.referral("MEDICAL_ASSESSMENT").status == "SENT"


def test_a_consent_may_leave_one_organisation_out() -> None:
    scenario = a_registered_case().having(
        "RecordConsent", purpose="SHARE_CLINIC", form_version="1", language="en", excluded_partners=("clinic-misrata",)
    )
    scenario.having("CreateReferral", kind="MEDICAL_ASSESSMENT", partner_id="clinic-misrata")
    assert scenario.referral("MEDICAL_ASSESSMENT").status == "DRAFT"


def test_detention_later_ends_what_had_been_cleared() -> None:
    scenario = a_screened_case().having("RecordDetention", situation="DETENTION_UNOFFICIAL", site="coast road")
    assert scenario.has_hold("DETENTION")
    cleared = scenario.clearance("PROTECTION_CLEARANCE")
    assert cleared is not None
    assert cleared.status == "REVOKED"


def test_after_release_an_officer_is_asked_to_lift_the_hold() -> None:
    scenario = a_screened_case().having("RecordDetention", situation="DETENTION_OFFICIAL").having("RecordRelease")
    assert scenario.names[-1] == "TaskRaised"
    assert scenario.has_hold("DETENTION")
