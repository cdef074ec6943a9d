"""Scenarios of the programme, in memory: the decisive events, in order."""

from __future__ import annotations

import pytest

from tests.support.assertions import assert_in_order
from tests.support.builders import (
    FLIGHT,
    CaseScenario,
    a_closed_case,
    a_frozen_case,
    a_registered_case,
    a_screened_case,
    a_seated_case,
)

ON_IT = {"movement_id": FLIGHT["movement_id"], "movement": FLIGHT["movement"]}

GOOD = "NO_SIGNIFICANT_CONDITION"

REG_TO_VRD = (
    "CaseRegistered",
    "CaseWorkerAssigned",
    "ConsentGiven",
    "NonRefoulementScreened[NO_CLAIM]",
    "VulnerabilityAssessed",
    "VoluntarinessAssessed[VOLUNTARY]",
    "VoluntaryReturnDeclared[NGA]",
    "EligibilityDetermined[ELIGIBLE]",
    "ScreeningCompleted",
    "ClearanceGranted[CONSENT_RETURN]",
    "ClearanceGranted[PROTECTION_CLEARANCE]",
)

TO_THE_GATE = (
    "PassengerNominated",
    "SeatReserved",
    "ReferralAccepted[RECEPTION CONFIRMED]",
    "ClearanceGranted[RECEPTION_CONFIRMED]",
    "FitToTravelAssessed[FIT]",
    "ClearanceGranted[FIT_TO_TRAVEL]",
    "ManifestFrozen",
    "VoluntaryReturnReaffirmed",
    "DepartureInterviewHeld",
    "PassengerCheckedIn",
    "TravelGateEvaluated[BOARD True]",
    "PassengerBoarded",
    "FlightDeparted",
    "FlightArrived",
)

AFTER_ARRIVAL = (
    "ArrivalConfirmed",
    "ReturneeMet",
    "ImmediateAssistanceProvided",
    "OnwardTransportProvided",
    "ReferralCompleted[RECEPTION RECEIVED]",
    "ReceptionCompleted",
    "ReintegrationEnrolled",
    "ReintegrationPlanDrafted",
    "ReintegrationPlanApproved",
    "AssistanceItemDelivered",
    "MonitoringVisitConducted",
    "ReintegrationSurveyRecorded[ENDLINE]",
    "ReintegrationCompleted",
    "CaseClosed[COMPLETED COMPLETED_REINTEGRATION]",
)


def the_standard_journey() -> CaseScenario:
    """SC-01, with fitness certified before the manifest is frozen."""
    scenario = a_seated_case().at("2026-12-12T08:00:00Z").having("IssueFitToTravel", result="FIT")
    scenario.at("2026-12-12T09:00:00Z").having("ManifestIsFrozen", **ON_IT)
    scenario.at("2026-12-14T04:30:00Z").having("ReaffirmVoluntaryReturn")
    scenario.having("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=True)
    scenario.having("CheckInPassenger").having("BoardPassenger")
    scenario.at(FLIGHT["std"]).having("FlightHasDeparted", atd=FLIGHT["std"], on_board=True, **ON_IT)
    return scenario.at(FLIGHT["sta"]).having("FlightHasArrived", ata=FLIGHT["sta"], destination="LOS", **ON_IT)


def test_sc_01_an_adult_is_screened_cleared_documented_seated_and_flown() -> None:
    events = the_standard_journey().events
    assert_in_order(events, *REG_TO_VRD, "SafetyOfReturnAssessed[SAFE]", *TO_THE_GATE)
    assert_in_order(
        events,
        "SafetyOfReturnAssessed[SAFE]",
        f"ReferralCompleted[MEDICAL_ASSESSMENT {GOOD}]",
        "ClearanceGranted[MEDICAL_ASSESSMENT]",
        "PassengerNominated",
    )
    assert_in_order(
        events,
        "ReferralCompleted[CONSULAR_IDENTITY NATIONALITY_CONFIRMED]",
        "NationalityConfirmed",
        "TravelDocumentIssued[LAISSEZ_PASSER]",
        "ClearanceGranted[TRAVEL_DOCUMENT]",
        "ExitPermitRequested",
        "ExitPermitGranted",
        "ClearanceGranted[EXIT_PERMIT]",
        "PassengerNominated",
    )


def test_sc_01_the_person_is_received_and_reintegrated_and_the_case_closed() -> None:
    scenario = a_closed_case()
    assert_in_order(scenario.events, *REG_TO_VRD, "FlightArrived", *AFTER_ARRIVAL)
    assert set(scenario.case.done) == set(scenario.case.stages)
    assert not scenario.waits_for()


def test_sc_02_a_duplicate_is_ignored_and_a_contradiction_is_quarantined() -> None:
    scenario = a_frozen_case()
    scenario.having_signal("MEDICAL_ASSESSMENT", "COMPLETED", GOOD).having_signal(
        "MEDICAL_ASSESSMENT", "COMPLETED", "TREATMENT_REQUIRED"
    )
    assert scenario.failures() == ("GATE.SIGNAL.IN_DOUBT",)
    signal = next(iter(scenario.referral("MEDICAL_ASSESSMENT").disputed))
    scenario.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="the clinic confirmed it")
    assert_in_order(
        scenario.events,
        "ReferralCompleted[MEDICAL_ASSESSMENT]",
        "ClearanceGranted[MEDICAL_ASSESSMENT]",
        "PartnerSignalIgnored[ALREADY_TERMINAL_SAME_OUTCOME]",
        "PartnerSignalQuarantined[CONFLICTING_OUTCOME]",
        "QuarantinedSignalResolved[AMEND]",
        "ReferralOutcomeAmended",
        "ClearanceRevoked[MEDICAL_ASSESSMENT]",
        "HoldPlaced[MEDICAL]",
        "StageReopened[MEDICAL]",
    )


def test_sc_03_signals_out_of_order() -> None:
    scenario = a_screened_case().having_signal("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")
    scenario.having_signal("CONSULAR_IDENTITY", "ACKNOWLEDGED").having_signal("CONSULAR_IDENTITY", "ACCEPTED")
    assert_in_order(
        scenario.events,
        "ReferralSent[CONSULAR_IDENTITY]",
        "ReferralCompleted[ACCEPTED STARTED]",
        "NationalityConfirmed",
        "PartnerSignalIgnored[OUT_OF_ORDER_SUPERSEDED ACKNOWLEDGED]",
        "PartnerSignalIgnored[OUT_OF_ORDER_SUPERSEDED ACCEPTED]",
    )


def test_sc_04_a_critical_result_for_a_cancelled_referral_reaches_a_doctor() -> None:
    scenario = a_screened_case()
    scenario.having(
        "CancelReferral", referral_id=scenario.referral("MEDICAL_ASSESSMENT").referral_id, reason="wrong person"
    )
    scenario.having_signal("MEDICAL_ASSESSMENT", "COMPLETED", "TREATMENT_REQUIRED")
    assert_in_order(
        scenario.events,
        "ReferralCancelled",
        "ReferralCancellationNotified",
        "LateSignalRecorded[REFERRAL_CANCELLED]",
        "TaskRaised[MEDICAL_OFFICER]",
    )
    task = list(scenario.case.tasks.values())[-1]
    assert (task.due - scenario.now).total_seconds() == 4 * 3600
    assert scenario.referral("MEDICAL_ASSESSMENT").status == "CANCELLED"
    assert scenario.clearance("MEDICAL_ASSESSMENT") is None
    assert scenario.has_hold("MEDICAL"), "a grave response stops the journey from its receipt until its review"


def a_withdrawn_and_closed_case() -> CaseScenario:
    scenario = a_screened_case().having("WithdrawVoluntaryReturn", channel="PHONE")
    return scenario.having("CloseCase", reason="WITHDRAWN_BY_MIGRANT", approved_by="fatima").after(days=20)


def test_sc_05_a_late_signal_that_is_not_material_proposes_nothing() -> None:
    scenario = a_withdrawn_and_closed_case().having_signal("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")
    assert_in_order(scenario.events, "CaseClosed[WITHDRAWN]", "LateSignalRecorded[CASE_CLOSED]")
    assert "CaseReopenProposed" not in scenario.names


def test_sc_05_a_late_concern_proposes_reopening_and_a_person_decides() -> None:
    scenario = a_withdrawn_and_closed_case().having_signal("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")
    scenario.having_signal("MEDICAL_ASSESSMENT", "CONCERN_REPORTED", reason="beaten in detention")
    assert scenario.case.phase == "CLOSED"
    scenario.having("ReopenCase", target_phase="INTAKE", reason="abuse reported")
    assert_in_order(
        scenario.events,
        "CaseClosed",
        "LateSignalRecorded[CASE_CLOSED]",
        "LateSignalRecorded[CASE_CLOSED]",
        "CaseReopenProposed",
        "CaseReopened[INTAKE]",
    )
    assert scenario.case.phase == "INTAKE"
    assert scenario.status("SCREENING") == "OPEN"


def test_sc_05_a_reopened_case_repeats_all_requirements() -> None:
    scenario = a_withdrawn_and_closed_case().having("ReopenCase", target_phase="PRE_DEPARTURE", reason="came back")
    assert not scenario.case.consents
    assert not [held for held in scenario.case.clearances.values() if held.valid_at(scenario.now)]
    assert scenario.refused("CompleteScreening").rule == "SCREENING.NOT_ELIGIBLE"


def test_a_case_is_reopened_within_a_year() -> None:
    order = {"target_phase": "INTAKE", "reason": "came back"}
    scenario = a_withdrawn_and_closed_case()
    assert scenario.again().after(days=346).refused("ReopenCase", **order).rule == "REOPEN.TOO_LATE"
    assert scenario.after(days=345).having("ReopenCase", **order).case.phase == "INTAKE"


@pytest.mark.parametrize("phase", ["DEPARTURE", "TRANSIT", "CLOSED"])
def test_a_case_is_not_reopened_into_the_middle_of_a_journey(phase: str) -> None:
    assert a_withdrawn_and_closed_case().refused("ReopenCase", target_phase=phase, reason="x").rule == "REOPEN.PHASE"


def test_only_a_closed_case_is_reopened() -> None:
    assert a_screened_case().refused("ReopenCase", target_phase="INTAKE", reason="x").rule == "REOPEN.NOT_CLOSED"


def test_sc_20_an_embassy_does_not_respond_then_responds_late_and_is_replaced() -> None:
    scenario = a_screened_case().after(days=14)
    scenario.having_signal("CONSULAR_IDENTITY", "ACKNOWLEDGED")
    assert scenario.referral("CONSULAR_IDENTITY").timeliness == "ON_TIME"
    scenario.having_signal("CONSULAR_IDENTITY", "ACCEPTED").after(days=20)
    order = {"referral_id": scenario.referral("CONSULAR_IDENTITY").referral_id, "reason": "no answer"}
    scenario.having("ConfirmReferralExpiry", **order).having("ReassignReferral", partner_id="embassy-nga-2", **order)
    mine = [event for event in scenario.events if str(event.facts.get("referral_id")) == str(order["referral_id"])]
    assert_in_order(
        mine,
        "ReferralSent[CONSULAR_IDENTITY]",
        "ReferralReminderSent[ack]",
        "ReferralOverdue[ack]",
        "ReferralReminderSent[ack]",
        "ReferralEscalated[L1]",
        "ReferralEscalated[L2]",
        "ReferralAcknowledged",
        "ReferralAccepted",
        "ReferralOverdue[complete]",
        "ReferralExpired",
        "ReferralReassigned",
    )
    assert scenario.referral("CONSULAR_IDENTITY").partner_id == "embassy-nga-2"


def test_sc_21_a_full_safe_house_is_replaced_by_another() -> None:
    scenario = a_registered_case().having("RecordConsent", purpose="SHARE_PROTECTION", form_version="1", language="en")
    scenario.having("CreateReferral", kind="VOT_ASSISTANCE", partner_id="partner-046")
    first = scenario.referral("VOT_ASSISTANCE")
    scenario.having_signal("VOT_ASSISTANCE", "REJECTED", "NO_CAPACITY", reason="full").after(hours=1)
    scenario.having("ReassignReferral", referral_id=first.referral_id, partner_id="partner-047", reason="full")
    scenario.having_signal("VOT_ASSISTANCE", "COMPLETED", "ADMITTED")
    assert_in_order(
        scenario.events,
        "ReferralRejected[NO_CAPACITY]",
        "TaskRaised",
        "ReferralReassigned[partner-047]",
        "ReferralCreated[partner-047]",
        "ReferralCompleted[ADMITTED]",
    )
    second = scenario.referral("VOT_ASSISTANCE")
    assert second.replaces == first.referral_id
    assert second.urgent


WITHDRAWAL = ("WithdrawVoluntaryReturn", {"channel": "PHONE"})

UNFIT = ("IssueFitToTravel", {"result": "UNFIT"})

FREEZE = ("ManifestIsFrozen", ON_IT)


@pytest.mark.parametrize(
    "order",
    [
        (WITHDRAWAL, UNFIT, FREEZE),
        (WITHDRAWAL, FREEZE, UNFIT),
        (UNFIT, WITHDRAWAL, FREEZE),
        (UNFIT, FREEZE, WITHDRAWAL),
        (FREEZE, WITHDRAWAL, UNFIT),
        (FREEZE, UNFIT, WITHDRAWAL),
    ],
)
def test_sc_29_in_any_order_the_person_is_not_on_the_aircraft(order: tuple[tuple[str, dict[str, str]], ...]) -> None:
    scenario = a_seated_case().at("2026-12-12T09:00:00Z").having("IssueFitToTravel", result="FIT")
    for name, fields in order:
        scenario.having(name, **fields)
    assert scenario.case.seat is None
    assert scenario.case.phase == "PRE_DEPARTURE"
    assert "VoluntaryReturnWithdrawn" in scenario.names
    assert scenario.refused("BoardPassenger").rule == "SEAT.NONE"


def test_sc_29_the_withdrawal_is_the_leading_cause() -> None:
    scenario = a_frozen_case().having("WithdrawVoluntaryReturn", channel="AIRPORT", place="AIRPORT")
    assert_in_order(
        scenario.events,
        "ManifestFrozen",
        "VoluntaryReturnWithdrawn[AIRPORT]",
        "ClearanceRevoked[CONSENT_RETURN RETURN_WITHDRAWN]",
        "SeatReleased[WITHDRAWN]",
        "HoldPlaced[CONSENT]",
    )


def test_a_withdrawal_cancels_referrals_for_the_journey_but_not_care() -> None:
    scenario = a_screened_case().having("WithdrawVoluntaryReturn", channel="PHONE")
    assert scenario.referral("CONSULAR_IDENTITY").status == "CANCELLED"
    assert scenario.referral("MEDICAL_ASSESSMENT").status == "SENT"


def test_a_withdrawal_reported_by_others_is_verified_with_the_person_within_a_day() -> None:
    scenario = a_screened_case().having("WithdrawVoluntaryReturn", channel="BROTHER", reported_by_other=True)
    task = list(scenario.case.tasks.values())[-1]
    assert task.task == "contact the person"
    assert (task.due - scenario.now).total_seconds() == 24 * 3600
