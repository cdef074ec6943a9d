"""Reception: the listing of these tests is its decision table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.builders import (
    FLIGHT,
    CaseScenario,
    a_cleared_case,
    a_departed_case,
    a_received_case,
    a_registered_case,
    a_screened_case,
    a_seated_case,
    an_arrived_case,
)

SEAT = FLIGHT | {"destination": "LOS"}


def status(scenario: CaseScenario) -> str | None:
    found = scenario.clearance("RECEPTION_CONFIRMED")
    return found.status if found else None


def test_reception_is_prepared_from_two_weeks_before_the_flight() -> None:
    scenario = a_cleared_case().having("NominatePassenger", **FLIGHT).having("TakeSeat", **SEAT)
    assert scenario.at("2026-11-30T08:59:59Z").status("RECEPTION") == "NOT_STARTED"
    assert scenario.at("2026-11-30T09:00:00Z").status("RECEPTION") == "OPEN"
    assert scenario.referral("RECEPTION").status == "SENT"


@pytest.mark.parametrize("outcome", ["CONFIRMED", "CONFIRMED_WITH_LIMITS", None])
def test_a_partner_that_will_receive_confirms_reception(outcome: str | None) -> None:
    scenario = (
        a_cleared_case().having("NominatePassenger", **FLIGHT).having("TakeSeat", **SEAT).at("2026-12-01T00:00:00Z")
    )
    assert status(scenario.having_signal("RECEPTION", "ACCEPTED", outcome)) == "VALID"


def test_a_partner_that_can_only_say_done_has_accepted() -> None:
    scenario = (
        a_cleared_case().having("NominatePassenger", **FLIGHT).having("TakeSeat", **SEAT).at("2026-12-01T00:00:00Z")
    )
    assert status(scenario.having_signal("RECEPTION", "COMPLETED", "CONFIRMED")) == "VALID"


@pytest.mark.parametrize("signal", ["REJECTED", "FAILED", "PARTNER_CANCELLED"])
def test_a_partner_that_withdraws_takes_its_confirmation_along(signal: str) -> None:
    scenario = a_seated_case().having_signal("RECEPTION", signal, reason="no car")
    assert status(scenario) == "REVOKED"
    assert "GATE.RECEPTION_CONFIRMED.REVOKED" in scenario.failures()
    assert len(scenario.asked("RECEPTION")) == 1


def the_reception_of(scenario: CaseScenario) -> dict[str, Any]:
    return {"referral_id": scenario.referral("RECEPTION").referral_id, "reason": "they have no room"}


def a_case_whose_reception_is_silent() -> CaseScenario:
    """The partner accepted and never reported again."""
    return a_seated_case().after(days=60)


@pytest.mark.parametrize(
    ("how", "beginning", "cause"),
    [
        ("CancelReferral", a_seated_case, "REFERRAL_CANCELLED"),
        ("MarkReferralEnteredInError", a_seated_case, "REFERRAL_ENTERED_IN_ERROR"),
        ("ConfirmReferralExpiry", a_case_whose_reception_is_silent, "REFERRAL_EXPIRED"),
    ],
)
def test_a_confirmation_ends_with_its_referral_and_reception_is_asked_again(
    how: str, beginning: Callable[[], CaseScenario], cause: str
) -> None:
    scenario = beginning()
    asked = len(scenario.asked("RECEPTION"))
    scenario.having(how, **the_reception_of(scenario))
    ended = scenario.clearance("RECEPTION_CONFIRMED")
    assert ended is not None
    assert (ended.status, ended.cause) == ("REVOKED", cause)
    assert "GATE.RECEPTION_CONFIRMED.REVOKED" in scenario.failures()
    assert len(scenario.asked("RECEPTION")) == asked + 1
    assert scenario.referral("RECEPTION").status == "SENT"
    assert status(scenario.having_signal("RECEPTION", "ACCEPTED", "CONFIRMED")) == "VALID"


def test_another_confirmation_outlives_the_referral_before_it() -> None:
    scenario = a_seated_case().having("GrantClearance", kind="RECEPTION_CONFIRMED", evidence="the mission called")
    scenario.having("CancelReferral", **the_reception_of(scenario))
    assert status(scenario) == "VALID"


def test_a_rejection_never_confirms_even_when_amended() -> None:
    scenario = (
        a_cleared_case().having("NominatePassenger", **FLIGHT).having("TakeSeat", **SEAT).at("2026-12-01T00:00:00Z")
    )
    scenario.having_signal("RECEPTION", "COMPLETED", "CONFIRMED").having_signal("RECEPTION", "STARTED")
    scenario.having_signal("RECEPTION", "REJECTED", "CANNOT_RECEIVE", reason="no room")
    signal = next(iter(scenario.referral("RECEPTION").disputed))
    scenario.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="they called")
    assert status(scenario) == "REVOKED"


def test_arrival_is_confirmed_only_for_who_is_on_the_way() -> None:
    assert a_seated_case().refused("ConfirmArrival").rule == "ARRIVAL.NOT_IN_TRANSIT"


def test_a_confirmed_arrival_begins_the_time_after() -> None:
    assert an_arrived_case().case.phase == "POST_ARRIVAL"


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("RecordReception", {"met": True}),
        ("ProvideOnwardTransport", {"mode": "BUS"}),
        ("CompleteReception", {"outcome": "RECEIVED"}),
    ],
)
def test_nobody_is_received_before_arriving(message: str, fields: dict[str, object]) -> None:
    assert a_departed_case().refused(message, **fields).rule == "RECEPTION.NOT_ARRIVED"


def test_reception_is_not_worked_on_before_it_is_open() -> None:
    assert a_screened_case().refused("RecordReception", met=True).rule == "STAGE.NOT_OPEN"


def test_who_was_not_met_is_looked_for_and_nothing_completes() -> None:
    scenario = an_arrived_case().having("RecordReception", met=False, cause="NOBODY_CAME")
    assert [task.queue for task in scenario.case.tasks.values()] == ["RECEPTION_OFFICER"]
    assert scenario.refused("CompleteReception", outcome="RECEIVED").rule == "RECEPTION.NOT_MET"


def test_an_adult_may_decline_reception() -> None:
    assert an_arrived_case().having("CompleteReception", outcome="DECLINED").status("RECEPTION") == "COMPLETED"


def test_a_partner_that_saw_nobody_arrive_raises_a_search() -> None:
    scenario = an_arrived_case().having_signal("RECEPTION", "COMPLETED", "NOT_ARRIVED")
    assert [task.task for task in scenario.case.tasks.values()] == ["find out where the person is"]


def test_met_helped_and_brought_home_completes_reception() -> None:
    scenario = a_received_case()
    assert scenario.status("RECEPTION") == "COMPLETED"
    assert scenario.waits_for() == ["STAFF.ENROLMENT"]


def test_help_does_not_depend_on_returning() -> None:
    scenario = a_registered_case().having("ProvideImmediateAssistance", items=("blanket",))
    assert scenario.names[-1] == "ImmediateAssistanceProvided"


def test_more_cash_than_the_programme_gives_is_recorded_and_shown_to_a_person() -> None:
    scenario = an_arrived_case().having("ProvideImmediateAssistance", items=("meal",), cash_eur=65)
    assert not scenario.case.tasks
    scenario.having("ProvideImmediateAssistance", items=("meal",), cash_eur=1)
    assert [task.task for task in scenario.case.tasks.values()] == ["check cash of 66 EUR against the ceiling"]


def test_shelter_after_arrival_is_recorded() -> None:
    assert an_arrived_case().having("ProvideAccommodation", nights=3).names[-1] == "TemporaryAccommodationProvided"
