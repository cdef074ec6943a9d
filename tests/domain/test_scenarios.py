"""Scenarios of the programme, in memory: the decisive events, in their order."""

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
    told = a_seated_case().at("2026-12-12T08:00:00Z").having("IssueFitToTravel", result="FIT")
    told.at("2026-12-12T09:00:00Z").having("ManifestIsFrozen", **ON_IT)
    told.at("2026-12-14T04:30:00Z").having("ReaffirmVoluntaryReturn")
    told.having("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=True)
    told.having("CheckInPassenger").having("BoardPassenger")
    told.at(FLIGHT["std"]).having("FlightHasDeparted", atd=FLIGHT["std"], on_board=True, **ON_IT)
    return told.at(FLIGHT["sta"]).having("FlightHasArrived", ata=FLIGHT["sta"], destination="LOS", **ON_IT)


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


def test_sc_01_and_received_and_reintegrated_and_closed() -> None:
    told = a_closed_case()
    assert_in_order(told.events, *REG_TO_VRD, "FlightArrived", *AFTER_ARRIVAL)
    assert set(told.case.done) == set(told.case.stages)
    assert not told.waits_for()


def test_sc_02_a_duplicate_is_noise_and_a_contradiction_waits_for_a_person() -> None:
    told = a_frozen_case()
    told.heard("MEDICAL_ASSESSMENT", "COMPLETED", GOOD).heard("MEDICAL_ASSESSMENT", "COMPLETED", "TREATMENT_REQUIRED")
    assert told.failures() == ("GATE.SIGNAL.IN_DOUBT",)
    signal = next(iter(told.referral("MEDICAL_ASSESSMENT").disputed))
    told.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="the clinic confirmed it")
    assert_in_order(
        told.events,
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
    told = a_screened_case().heard("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")
    told.heard("CONSULAR_IDENTITY", "ACKNOWLEDGED").heard("CONSULAR_IDENTITY", "ACCEPTED")
    assert_in_order(
        told.events,
        "ReferralSent[CONSULAR_IDENTITY]",
        "ReferralCompleted[ACCEPTED STARTED]",
        "NationalityConfirmed",
        "PartnerSignalIgnored[OUT_OF_ORDER_SUPERSEDED ACKNOWLEDGED]",
        "PartnerSignalIgnored[OUT_OF_ORDER_SUPERSEDED ACCEPTED]",
    )


def test_sc_04_a_critical_result_for_a_cancelled_referral_reaches_a_doctor() -> None:
    told = a_screened_case()
    told.having("CancelReferral", referral_id=told.referral("MEDICAL_ASSESSMENT").referral_id, reason="wrong person")
    told.heard("MEDICAL_ASSESSMENT", "COMPLETED", "TREATMENT_REQUIRED")
    assert_in_order(
        told.events,
        "ReferralCancelled",
        "ReferralCancellationNotified",
        "LateSignalRecorded[REFERRAL_CANCELLED]",
        "TaskRaised[MEDICAL_OFFICER]",
    )
    task = list(told.case.tasks.values())[-1]
    assert (task.due - told.now).total_seconds() == 4 * 3600
    assert told.referral("MEDICAL_ASSESSMENT").status == "CANCELLED"
    assert told.clearance("MEDICAL_ASSESSMENT") is None
    assert told.has_hold("MEDICAL"), "what is grave stops the journey from its receipt, until somebody has looked"


def a_withdrawn_and_closed_case() -> CaseScenario:
    told = a_screened_case().having("WithdrawVoluntaryReturn", channel="PHONE")
    return told.having("CloseCase", reason="WITHDRAWN_BY_MIGRANT", approved_by="fatima").after(days=20)


def test_sc_05_a_late_signal_that_is_not_material_proposes_nothing() -> None:
    told = a_withdrawn_and_closed_case().heard("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")
    assert_in_order(told.events, "CaseClosed[WITHDRAWN]", "LateSignalRecorded[CASE_CLOSED]")
    assert "CaseReopenProposed" not in told.names


def test_sc_05_a_late_concern_proposes_reopening_and_a_person_decides() -> None:
    told = a_withdrawn_and_closed_case().heard("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")
    told.heard("MEDICAL_ASSESSMENT", "CONCERN_REPORTED", reason="beaten in detention")
    assert told.case.phase == "CLOSED"
    told.having("ReopenCase", target_phase="INTAKE", reason="abuse reported")
    assert_in_order(
        told.events,
        "CaseClosed",
        "LateSignalRecorded[CASE_CLOSED]",
        "LateSignalRecorded[CASE_CLOSED]",
        "CaseReopenProposed",
        "CaseReopened[INTAKE]",
    )
    assert told.case.phase == "INTAKE"
    assert told.status("SCREENING") == "OPEN"


def test_sc_05_a_reopened_case_asks_everything_again() -> None:
    told = a_withdrawn_and_closed_case().having("ReopenCase", target_phase="PRE_DEPARTURE", reason="came back")
    assert not told.case.consents
    assert not [held for held in told.case.clearances.values() if held.valid_at(told.now)]
    assert told.refused("CompleteScreening").rule == "SCREENING.NOT_ELIGIBLE"


def test_a_case_is_reopened_within_a_year() -> None:
    order = {"target_phase": "INTAKE", "reason": "came back"}
    told = a_withdrawn_and_closed_case()
    assert told.again().after(days=346).refused("ReopenCase", **order).rule == "REOPEN.TOO_LATE"
    assert told.after(days=345).having("ReopenCase", **order).case.phase == "INTAKE"


@pytest.mark.parametrize("phase", ["DEPARTURE", "TRANSIT", "CLOSED"])
def test_a_case_is_not_reopened_into_the_middle_of_a_journey(phase: str) -> None:
    assert a_withdrawn_and_closed_case().refused("ReopenCase", target_phase=phase, reason="x").rule == "REOPEN.PHASE"


def test_only_a_closed_case_is_reopened() -> None:
    assert a_screened_case().refused("ReopenCase", target_phase="INTAKE", reason="x").rule == "REOPEN.NOT_CLOSED"


def test_sc_20_an_embassy_that_is_silent_then_slow_then_replaced() -> None:
    told = a_screened_case().after(days=14)
    told.heard("CONSULAR_IDENTITY", "ACKNOWLEDGED")
    assert told.referral("CONSULAR_IDENTITY").timeliness == "ON_TIME"
    told.heard("CONSULAR_IDENTITY", "ACCEPTED").after(days=20)
    order = {"referral_id": told.referral("CONSULAR_IDENTITY").referral_id, "reason": "no answer"}
    told.having("ConfirmReferralExpiry", **order).having("ReassignReferral", partner_id="embassy-nga-2", **order)
    mine = [event for event in told.events if str(event.facts.get("referral_id")) == str(order["referral_id"])]
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
    assert told.referral("CONSULAR_IDENTITY").partner_id == "embassy-nga-2"


def test_sc_21_a_full_safe_house_is_replaced_by_another() -> None:
    told = a_registered_case().having("RecordConsent", purpose="SHARE_PROTECTION", form_version="1", language="en")
    told.having("CreateReferral", kind="VOT_ASSISTANCE", partner_id="partner-046")
    first = told.referral("VOT_ASSISTANCE")
    told.heard("VOT_ASSISTANCE", "REJECTED", "NO_CAPACITY", reason="full").after(hours=1)
    told.having("ReassignReferral", referral_id=first.referral_id, partner_id="partner-047", reason="full")
    told.heard("VOT_ASSISTANCE", "COMPLETED", "ADMITTED")
    assert_in_order(
        told.events,
        "ReferralRejected[NO_CAPACITY]",
        "TaskRaised",
        "ReferralReassigned[partner-047]",
        "ReferralCreated[partner-047]",
        "ReferralCompleted[ADMITTED]",
    )
    second = told.referral("VOT_ASSISTANCE")
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
    told = a_seated_case().at("2026-12-12T09:00:00Z").having("IssueFitToTravel", result="FIT")
    for name, fields in order:
        told.having(name, **fields)
    assert told.case.seat is None
    assert told.case.phase == "PRE_DEPARTURE"
    assert "VoluntaryReturnWithdrawn" in told.names
    assert told.refused("BoardPassenger").rule == "SEAT.NONE"


def test_sc_29_the_withdrawal_is_the_leading_cause() -> None:
    told = a_frozen_case().having("WithdrawVoluntaryReturn", channel="AIRPORT", place="AIRPORT")
    assert_in_order(
        told.events,
        "ManifestFrozen",
        "VoluntaryReturnWithdrawn[AIRPORT]",
        "ClearanceRevoked[CONSENT_RETURN RETURN_WITHDRAWN]",
        "SeatReleased[WITHDRAWN]",
        "HoldPlaced[CONSENT]",
    )


def test_a_withdrawal_cancels_what_served_the_journey_and_nothing_that_is_care() -> None:
    told = a_screened_case().having("WithdrawVoluntaryReturn", channel="PHONE")
    assert told.referral("CONSULAR_IDENTITY").status == "CANCELLED"
    assert told.referral("MEDICAL_ASSESSMENT").status == "SENT"


def test_a_withdrawal_that_others_report_is_checked_with_the_person_within_a_day() -> None:
    told = a_screened_case().having("WithdrawVoluntaryReturn", channel="BROTHER", reported_by_other=True)
    task = list(told.case.tasks.values())[-1]
    assert task.task == "contact the person"
    assert (task.due - told.now).total_seconds() == 24 * 3600
