"""Medical clearance: the listing of these tests is its decision table."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.support.builders import FLIGHT, CaseScenario, a_frozen_case, a_screened_case, a_seated_case


def status(scenario: CaseScenario, kind: str) -> str | None:
    found = scenario.clearance(kind)
    return found.status if found else None


def test_an_eligible_person_is_sent_to_a_clinic() -> None:
    assert a_screened_case().referral("MEDICAL_ASSESSMENT").status == "SENT"


@pytest.mark.parametrize("outcome", ["NO_SIGNIFICANT_CONDITION", "SIGNIFICANT_CONDITION_STABLE"])
def test_a_good_examination_completes_the_stage_for_ninety_days(outcome: str) -> None:
    scenario = a_screened_case().having_signal("MEDICAL_ASSESSMENT", "COMPLETED", outcome)
    granted = scenario.clearance("MEDICAL_ASSESSMENT")
    assert scenario.status("MEDICAL") == "COMPLETED"
    assert granted is not None
    assert granted.valid_until == scenario.now + timedelta(days=90)


def test_validity_counts_from_the_day_of_the_examination() -> None:
    scenario = a_screened_case().having_signal(
        "MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION", payload={"examined_at": "2026-11-13T08:00:00Z"}
    )
    granted = scenario.clearance("MEDICAL_ASSESSMENT")
    assert granted is not None
    assert granted.valid_until == scenario.now + timedelta(days=80)


def test_an_examination_dated_in_the_future_permits_nothing_and_is_reviewed_by_a_person() -> None:
    scenario = a_screened_case()
    recorded = scenario.partner_says(
        "MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION", payload={"examined_at": "2027-06-01"}
    )
    assert [event.name for event in recorded] == ["PartnerSignalQuarantined", "TaskRaised"]
    assert recorded[0].facts["flaw"] == "examined_at"
    assert scenario.clearance("MEDICAL_ASSESSMENT") is None


def test_a_clinic_may_shorten_the_permission() -> None:
    scenario = a_screened_case().having_signal(
        "MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION", payload={"valid_until": "2026-12-01"}
    )
    granted = scenario.clearance("MEDICAL_ASSESSMENT")
    assert granted is not None
    assert granted.valid_until is not None
    assert f"{granted.valid_until:%d %B %Y}" == "01 December 2026"


def test_a_date_that_is_none_is_for_a_person_to_read() -> None:
    scenario = a_screened_case()
    payload = {"examined_at": "last Tuesday"}
    doubt = scenario.partner_says("MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION", payload=payload)[0]
    assert (doubt.facts["cause"], doubt.facts["flaw"]) == ("SCHEMA", "examined_at")
    assert status(scenario, "MEDICAL_ASSESSMENT") is None


@pytest.mark.parametrize("outcome", ["TREATMENT_REQUIRED", "UNFIT_TEMPORARY", "UNFIT_LONG_TERM"])
def test_a_bad_examination_holds_the_journey(outcome: str) -> None:
    scenario = a_screened_case().having_signal("MEDICAL_ASSESSMENT", "COMPLETED", outcome)
    assert scenario.held("MEDICAL").blocks == {"BOARDING"}
    assert status(scenario, "MEDICAL_ASSESSMENT") is None


def test_a_person_who_did_not_come_is_called() -> None:
    scenario = a_screened_case().having_signal("MEDICAL_ASSESSMENT", "COMPLETED", "DECLINED_BY_PERSON")
    assert [task.queue for task in scenario.case.tasks.values()] == ["MEDICAL_OFFICER"]


def test_an_examination_that_expires_reopens_the_stage_and_asks_again() -> None:
    scenario = (
        a_screened_case().having_signal("MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION").after(days=91)
    )
    assert scenario.status("MEDICAL") == "REOPENED"
    assert len(scenario.asked("MEDICAL_ASSESSMENT")) == 2


def test_a_clinic_that_said_no_is_not_asked_again_by_itself() -> None:
    scenario = a_screened_case().having_signal("MEDICAL_ASSESSMENT", "REJECTED", reason="no capacity").after(days=1)
    assert scenario.referral("MEDICAL_ASSESSMENT").status == "REJECTED"
    assert len(scenario.case.referrals) == 2


def test_fitness_is_measured_against_a_flight() -> None:
    assert a_screened_case().refused("IssueFitToTravel", result="FIT").rule == "FTT.NO_SEAT"


@pytest.mark.parametrize("issued", ["2026-12-11T08:59:59Z", "2026-12-14T03:00:01Z"])
def test_fitness_is_first_looked_at_from_72_to_6_hours_before_departure(issued: str) -> None:
    assert a_seated_case().refused("IssueFitToTravel", result="FIT", issued_at=issued).rule == "FTT.WINDOW"


@pytest.mark.parametrize("issued", ["2026-12-11T09:00:00Z", "2026-12-14T03:00:00Z"])
def test_fitness_at_either_end_of_the_window_counts(issued: str) -> None:
    assert status(a_seated_case().at(issued).having("IssueFitToTravel", result="FIT"), "FIT_TO_TRAVEL") == "VALID"


@pytest.mark.parametrize("hours", [-1, 0, 40])
def test_fitness_is_looked_at_again_until_the_doors_close_however_late_the_flight(hours: int) -> None:
    scenario = a_frozen_case().at(datetime.fromisoformat(FLIGHT["std"]) + timedelta(hours=hours))
    scenario.having("IssueFitToTravel", result="FIT")
    granted = scenario.clearance("FIT_TO_TRAVEL")
    assert granted is not None
    assert granted.valid_until == scenario.now + timedelta(hours=72)


def test_a_look_for_another_flight_is_no_first_look_for_this_one() -> None:
    scenario = a_frozen_case().having("ReleaseSeat", cause="another flight").having("NominatePassenger", **FLIGHT)
    scenario.having("TakeSeat", **FLIGHT, destination="LOS")
    assert scenario.refused("IssueFitToTravel", result="FIT").rule == "FTT.WINDOW"


def test_fitness_lasts_72_hours_from_the_look() -> None:
    scenario = a_seated_case().at("2026-12-12T00:00:00Z").having("IssueFitToTravel", result="FIT")
    granted = scenario.clearance("FIT_TO_TRAVEL")
    assert granted is not None
    assert granted.valid_until == scenario.now + timedelta(hours=72)


def test_a_good_look_dated_later_than_now_counts_from_now() -> None:
    scenario = a_seated_case().at("2026-12-02T00:00:00Z")
    scenario.having("IssueFitToTravel", result="FIT", issued_at="2026-12-14T02:00:00Z")
    assert "GATE.FIT_TO_TRAVEL.EXPIRES_BEFORE_STD" in scenario.failures()


@pytest.mark.parametrize("result", ["UNFIT", "UNFIT_TEMPORARY"])
def test_unfit_counts_at_any_time_and_stops_boarding(result: str) -> None:
    scenario = a_frozen_case().having("IssueFitToTravel", result=result)
    assert status(scenario, "FIT_TO_TRAVEL") == "REVOKED"
    assert {"GATE.HOLD.MEDICAL", "GATE.FIT_TO_TRAVEL.REVOKED"} <= set(scenario.failures())
    assert scenario.status("MEDICAL") == "REOPENED"
