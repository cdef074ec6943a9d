"""Medical clearance: the listing of these tests is its decision table."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.support.builders import FLIGHT, CaseScenario, a_frozen_case, a_screened_case, a_seated_case


def status(told: CaseScenario, kind: str) -> str | None:
    found = told.clearance(kind)
    return found.status if found else None


def test_an_eligible_person_is_sent_to_a_clinic() -> None:
    assert a_screened_case().referral("MEDICAL_ASSESSMENT").status == "SENT"


@pytest.mark.parametrize("outcome", ["NO_SIGNIFICANT_CONDITION", "SIGNIFICANT_CONDITION_STABLE"])
def test_a_good_examination_completes_the_stage_for_ninety_days(outcome: str) -> None:
    told = a_screened_case().heard("MEDICAL_ASSESSMENT", "COMPLETED", outcome)
    granted = told.clearance("MEDICAL_ASSESSMENT")
    assert told.status("MEDICAL") == "COMPLETED"
    assert granted is not None
    assert granted.valid_until == told.now + timedelta(days=90)


def test_validity_counts_from_the_day_of_the_examination() -> None:
    told = a_screened_case().heard(
        "MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION", payload={"examined_at": "2026-11-13T08:00:00Z"}
    )
    granted = told.clearance("MEDICAL_ASSESSMENT")
    assert granted is not None
    assert granted.valid_until == told.now + timedelta(days=80)


def test_an_examination_dated_in_the_future_permits_nothing_and_a_person_looks_at_it() -> None:
    told = a_screened_case()
    said = told.partner_says(
        "MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION", payload={"examined_at": "2027-06-01"}
    )
    assert [event.name for event in said] == ["PartnerSignalQuarantined", "TaskRaised"]
    assert said[0].facts["flaw"] == "examined_at"
    assert told.clearance("MEDICAL_ASSESSMENT") is None


def test_a_clinic_may_shorten_the_permission() -> None:
    told = a_screened_case().heard(
        "MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION", payload={"valid_until": "2026-12-01"}
    )
    granted = told.clearance("MEDICAL_ASSESSMENT")
    assert granted is not None
    assert granted.valid_until is not None
    assert f"{granted.valid_until:%d %B %Y}" == "01 December 2026"


def test_a_date_that_is_none_is_for_a_person_to_read() -> None:
    told = a_screened_case()
    payload = {"examined_at": "last Tuesday"}
    doubt = told.partner_says("MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION", payload=payload)[0]
    assert (doubt.facts["cause"], doubt.facts["flaw"]) == ("SCHEMA", "examined_at")
    assert status(told, "MEDICAL_ASSESSMENT") is None


@pytest.mark.parametrize("outcome", ["TREATMENT_REQUIRED", "UNFIT_TEMPORARY", "UNFIT_LONG_TERM"])
def test_a_bad_examination_holds_the_journey(outcome: str) -> None:
    told = a_screened_case().heard("MEDICAL_ASSESSMENT", "COMPLETED", outcome)
    assert told.held("MEDICAL").blocks == {"BOARDING"}
    assert status(told, "MEDICAL_ASSESSMENT") is None


def test_a_person_who_did_not_come_is_called() -> None:
    told = a_screened_case().heard("MEDICAL_ASSESSMENT", "COMPLETED", "DECLINED_BY_PERSON")
    assert [task.queue for task in told.case.tasks.values()] == ["MEDICAL_OFFICER"]


def test_an_examination_that_expires_reopens_the_stage_and_asks_again() -> None:
    told = a_screened_case().heard("MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION").after(days=91)
    assert told.status("MEDICAL") == "REOPENED"
    assert len(told.asked("MEDICAL_ASSESSMENT")) == 2


def test_a_clinic_that_said_no_is_not_asked_again_by_itself() -> None:
    told = a_screened_case().heard("MEDICAL_ASSESSMENT", "REJECTED", reason="no capacity").after(days=1)
    assert told.referral("MEDICAL_ASSESSMENT").status == "REJECTED"
    assert len(told.case.referrals) == 2


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
    told = a_frozen_case().at(datetime.fromisoformat(FLIGHT["std"]) + timedelta(hours=hours))
    told.having("IssueFitToTravel", result="FIT")
    granted = told.clearance("FIT_TO_TRAVEL")
    assert granted is not None
    assert granted.valid_until == told.now + timedelta(hours=72)


def test_a_look_for_another_flight_is_no_first_look_for_this_one() -> None:
    told = a_frozen_case().having("ReleaseSeat", cause="another flight").having("NominatePassenger", **FLIGHT)
    told.having("TakeSeat", **FLIGHT, destination="LOS")
    assert told.refused("IssueFitToTravel", result="FIT").rule == "FTT.WINDOW"


def test_fitness_lasts_72_hours_from_the_look() -> None:
    told = a_seated_case().at("2026-12-12T00:00:00Z").having("IssueFitToTravel", result="FIT")
    granted = told.clearance("FIT_TO_TRAVEL")
    assert granted is not None
    assert granted.valid_until == told.now + timedelta(hours=72)


def test_a_good_look_dated_later_than_now_counts_from_now() -> None:
    told = a_seated_case().at("2026-12-02T00:00:00Z")
    told.having("IssueFitToTravel", result="FIT", issued_at="2026-12-14T02:00:00Z")
    assert "GATE.FIT_TO_TRAVEL.EXPIRES_BEFORE_STD" in told.failures()


@pytest.mark.parametrize("result", ["UNFIT", "UNFIT_TEMPORARY"])
def test_unfit_counts_at_any_time_and_stops_boarding(result: str) -> None:
    told = a_frozen_case().having("IssueFitToTravel", result=result)
    assert status(told, "FIT_TO_TRAVEL") == "REVOKED"
    assert {"GATE.HOLD.MEDICAL", "GATE.FIT_TO_TRAVEL.REVOKED"} <= set(told.failures())
    assert told.status("MEDICAL") == "REOPENED"
