"""Departure: the listing of these tests is its decision table."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.clearance.travel_gate import journey_on
from domain.commands.departure import DenyBoarding
from tests.support.builders import (
    FLIGHT,
    CaseScenario,
    a_boarded_case,
    a_cleared_case,
    a_closed_case,
    a_departed_case,
    a_frozen_case,
    a_screened_case,
    a_seated_case,
)

ON_IT = {"movement_id": FLIGHT["movement_id"], "movement": FLIGHT["movement"]}

OTHER = {"movement_id": "6f6d9a3e-0000-4000-8000-0000000000aa", "movement": "MOV-2026-1220-MJI-LOS-02"}

SEAT = FLIGHT | {"destination": "LOS"}


def departed(scenario: CaseScenario, *, on_board: bool, **more: object) -> CaseScenario:
    return scenario.having("FlightHasDeparted", atd=FLIGHT["std"], on_board=on_board, **ON_IT, **more)


def test_a_cleared_person_is_nominated_and_seated() -> None:
    scenario = a_cleared_case().having("NominatePassenger", **FLIGHT).having("TakeSeat", **SEAT)
    assert scenario.case.seat is not None
    assert scenario.case.seat.status == "RESERVED"


def test_who_does_not_pass_the_gate_is_not_nominated_and_hears_every_reason() -> None:
    scenario = a_screened_case().having_signal("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")
    refusal = scenario.refused("NominatePassenger", **FLIGHT)
    assert refusal.rule == "GATE.NOMINATE"
    assert refusal.failures == (
        "GATE.SAFETY_OF_RETURN.MISSING",
        "GATE.MEDICAL_ASSESSMENT.MISSING",
        "GATE.FUNDING_ALLOCATED.MISSING",
    )


def test_a_person_has_one_seat() -> None:
    assert a_seated_case().refused("NominatePassenger", **FLIGHT).rule == "SEAT.TAKEN"


def test_a_seat_that_comes_after_a_hold_goes_back_at_once() -> None:
    scenario = (
        a_cleared_case().having("NominatePassenger", **FLIGHT).having("PlaceHold", hold_type="SAFETY", reason="x")
    )
    scenario.having("TakeSeat", **SEAT)
    assert scenario.names[-2:] == ["SeatReserved", "SeatReleased"]
    assert scenario.case.seat is None


def test_a_seat_to_another_country_goes_back_at_once() -> None:
    scenario = a_cleared_case().having("NominatePassenger", **FLIGHT).having("TakeSeat", **SEAT, country="GHA")
    assert scenario.named("SeatReleased")[-1].facts["cause"] == "GATE.DESTINATION.OTHER_COUNTRY"
    assert scenario.case.seat is None


def test_a_seat_remembers_its_country_until_the_gate() -> None:
    scenario = a_cleared_case().having("NominatePassenger", **FLIGHT).having("TakeSeat", **SEAT, country="NGA")
    assert scenario.case.seat is not None
    assert journey_on(scenario.case.seat).country == "NGA"


@pytest.mark.parametrize(("hours", "late"), [(-1, 0), (0, 0), (3, 3)])
def test_a_flight_that_leaves_late_lands_late(hours: int, late: int) -> None:
    seat = a_seated_case().case.seat
    assert seat is not None
    journey = journey_on(seat, seat.std + timedelta(hours=hours))
    assert (journey.std - seat.std, journey.sta - seat.sta) == (timedelta(hours=late), timedelta(hours=late))


def test_a_seat_that_was_given_up_before_it_came_goes_back_and_nobody_sits_there() -> None:
    scenario = a_cleared_case().having("NominatePassenger", **FLIGHT).having("ReleaseSeat", cause="changed plans")
    scenario.having("TakeSeat", **SEAT)
    assert [event.name for event in scenario.events[-1:]] == ["SeatReleased"]
    assert scenario.events[-1].facts["cause"] == "NOT_NEEDED"
    assert scenario.case.seat is None


def test_a_seat_on_a_flight_that_is_not_waited_for_goes_back_and_the_waiting_goes_on() -> None:
    scenario = a_waiting_case().having("TakeSeat", **OTHER, std=FLIGHT["std"], sta=FLIGHT["sta"], destination="LOS")
    assert scenario.events[-1].facts["cause"] == "NOT_NEEDED"
    assert (scenario.case.seat, scenario.case.nomination and scenario.case.nomination[1]) == (None, FLIGHT["movement"])


def test_whoever_sits_where_the_movement_holds_no_seat_any_more_sits_there_no_longer() -> None:
    """A nomination was released and repeated; the first seat arrived late, and then the flight was full."""
    scenario = a_cleared_case().having("NominatePassenger", **FLIGHT).having("ReleaseSeat", cause="changed plans")
    scenario.having("NominatePassenger", **FLIGHT).having("TakeSeat", **SEAT)
    scenario.having("SeatUnavailable", cause="FULL", **ON_IT)
    assert scenario.case.seat is None
    assert scenario.named("SeatReleased")[-1].facts["cause"] == "NOT_HELD"
    assert list(scenario.case.tasks.values())[-1].task == "find another flight (FULL)"


def test_a_full_flight_is_a_task_for_the_movement_officer() -> None:
    scenario = a_cleared_case().having("NominatePassenger", **FLIGHT).having("SeatUnavailable", cause="FULL", **ON_IT)
    assert [task.queue for task in scenario.case.tasks.values()] == ["MOVEMENT_OFFICER"]


def a_waiting_case() -> CaseScenario:
    return a_cleared_case().having("NominatePassenger", **FLIGHT).having("SeatUnavailable", cause="FULL", **ON_IT)


def test_a_person_is_nominated_for_one_flight_at_a_time() -> None:
    assert a_waiting_case().refused("NominatePassenger", **FLIGHT).rule == "SEAT.ASKED"


def test_whoever_waits_for_a_seat_can_stop_waiting_and_ask_for_another() -> None:
    scenario = a_waiting_case().having("ReleaseSeat", cause="the person wants an earlier flight")
    assert scenario.named("SeatReleased")[-1].facts["cause"] == "STAFF"
    assert scenario.having("NominatePassenger", **FLIGHT).case.nomination is not None


def test_whoever_no_longer_wants_to_return_waits_for_no_seat() -> None:
    scenario = a_waiting_case().having("WithdrawVoluntaryReturn", channel="in person")
    assert (scenario.case.nomination, scenario.named("SeatReleased")[-1].facts["cause"]) == (None, "WITHDRAWN")


def test_a_seat_that_comes_free_ends_the_waiting() -> None:
    scenario = a_waiting_case().having("TakeSeat", **SEAT)
    assert (scenario.case.nomination, scenario.case.seat is not None) == (None, True)


def test_a_flight_that_leaves_no_room_sends_the_waiting_to_look_for_another() -> None:
    scenario = a_waiting_case().having("MovementIsOff", cause="FULL", **ON_IT)
    assert scenario.case.nomination is None
    assert [task.task for task in scenario.case.tasks.values()][-1] == "find another flight (FULL)"


def test_without_a_seat_there_is_none_to_release() -> None:
    assert a_cleared_case().refused("ReleaseSeat", cause="x").rule == "SEAT.NONE"


def test_a_released_seat_ends_what_served_only_that_flight() -> None:
    scenario = a_seated_case().having("ReleaseSeat", cause="REQUEST")
    reception = scenario.clearance("RECEPTION_CONFIRMED")
    assert reception is not None
    assert reception.status == "REVOKED"


def test_a_project_that_has_ended_funds_nobody() -> None:
    refusal = a_cleared_case().refused("AllocateFunding", project="X", until="2026-01-01T00:00:00Z")
    assert refusal.rule == "FUNDING.ENDED"


def test_freezing_moves_the_case_to_departure() -> None:
    assert a_frozen_case().case.phase == "DEPARTURE"


def test_who_does_not_pass_at_the_freeze_gives_the_seat_back() -> None:
    scenario = a_seated_case().having("RevokeClearance", kind="EXIT_PERMIT", cause="BAN")
    scenario.having("ManifestIsFrozen", **ON_IT)
    evaluated = scenario.named("TravelGateEvaluated")[-1]
    assert evaluated.facts["failures"] == ("GATE.EXIT_PERMIT.REVOKED",)
    assert scenario.case.seat is None
    assert scenario.case.phase == "PRE_DEPARTURE"


def test_the_freeze_of_another_flight_means_nothing() -> None:
    scenario = a_seated_case()
    assert scenario.send("ManifestIsFrozen", **OTHER) == []


@pytest.mark.parametrize(("message", "rule"), [("CheckInPassenger", "SEAT.NONE"), ("BoardPassenger", "SEAT.NONE")])
def test_nobody_checks_in_or_boards_without_a_seat(message: str, rule: str) -> None:
    assert a_cleared_case().refused(message).rule == rule


@pytest.mark.parametrize("message", ["CheckInPassenger", "BoardPassenger"])
def test_nobody_checks_in_or_boards_before_the_freeze(message: str) -> None:
    assert a_seated_case().refused(message).rule == "SEAT.NOT_FROZEN"


def a_case_before_its_interview() -> CaseScenario:
    scenario = a_seated_case().at("2026-12-12T09:00:00Z").having("ManifestIsFrozen", **ON_IT)
    scenario.after(hours=5).having("IssueFitToTravel", result="FIT")
    return scenario.at("2026-12-14T04:30:00Z").having("ReaffirmVoluntaryReturn")


def test_nobody_checks_in_without_a_departure_interview() -> None:
    assert a_case_before_its_interview().refused("CheckInPassenger").rule == "CHECK_IN.INTERVIEW"


def test_an_interview_before_others_is_none() -> None:
    scenario = a_case_before_its_interview()
    scenario.having("RecordDepartureInterview", in_private=False, voluntary_reaffirmed=True)
    assert scenario.refused("CheckInPassenger").rule == "CHECK_IN.INTERVIEW"


def test_an_interview_without_a_yes_holds_the_journey() -> None:
    scenario = a_case_before_its_interview()
    scenario.having("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=False)
    assert scenario.refused("CheckInPassenger").failures == (
        "GATE.HOLD.CONSENT",
        "GATE.CONSENT_RETURN.REVOKED",
        "GATE.REAFFIRMATION.WITHDRAWN",
    )


def test_a_no_in_the_interview_is_not_undone_by_lifting_the_hold() -> None:
    scenario = a_case_before_its_interview()
    scenario.having("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=False)
    assert (
        scenario.refused("LiftHold", hold_id=scenario.held("CONSENT").hold_id, reason="changed mind").rule
        == "HOLD.CONSENT"
    )


def test_an_interview_with_fear_holds_the_journey() -> None:
    scenario = a_case_before_its_interview()
    scenario.having("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=True, fear_expressed=True)
    assert scenario.refused("CheckInPassenger").failures == (
        "GATE.HOLD.PROTECTION",
        "GATE.PROTECTION_CLEARANCE.REVOKED",
    )


def test_nobody_boards_without_checking_in() -> None:
    assert a_frozen_case().refused("BoardPassenger").rule == "BOARD.NOT_CHECKED_IN"


WORSE = (
    ("IssueFitToTravel", {"result": "UNFIT"}),
    ("RaiseProtectionConcern", {"risk_level": "HIGH", "concern": "threatened"}),
    ("PlaceHold", {"hold_type": "LEGAL", "reason": "a court asked"}),
    ("RecordDepartureInterview", {"in_private": True, "voluntary_reaffirmed": True, "fear_expressed": True}),
    ("RecordDepartureInterview", {"in_private": True, "voluntary_reaffirmed": False}),
    ("RevokeClearance", {"kind": "EXIT_PERMIT", "cause": "ban"}),
)


@pytest.mark.parametrize("aboard", [("CheckInPassenger",), ("CheckInPassenger", "BoardPassenger")])
@pytest.mark.parametrize(("message", "fields"), WORSE)
def test_whoever_no_longer_passes_the_gate_is_taken_off_until_the_door_closes(
    aboard: tuple[str, ...], message: str, fields: dict[str, Any]
) -> None:
    scenario = a_frozen_case()
    for step in aboard:
        scenario.having(step)
    scenario.having(message, **fields)
    assert {"PassengerOffloaded", "SeatReleased"} <= set(scenario.names)
    assert scenario.case.seat is None
    assert scenario.refused("BoardPassenger").rule == "SEAT.NONE"


def test_a_partner_that_reports_a_withdrawal_takes_the_person_off() -> None:
    scenario = a_boarded_case()
    scenario.having_signal("RECEPTION", "WITHDRAWAL_REPORTED")
    assert scenario.case.seat is None


def test_who_flew_without_having_boarded_by_the_rules_is_a_breach_and_a_task() -> None:
    scenario = a_boarded_case().having("WithdrawVoluntaryReturn", channel="PHONE").at(FLIGHT["std"])
    scenario.having("FlightHasDeparted", **ON_IT, atd=FLIGHT["std"], on_board=True)
    assert scenario.named("FlightDeparted")[-1].facts["breaches"] == ("NOT_BOARDED_BY_THE_RULES",)
    assert any("against the rules" in task.task for task in scenario.case.tasks.values())
    assert scenario.case.phase == "TRANSIT"


def test_a_seat_that_cannot_be_taken_goes_back_and_does_not_cost_the_one_that_was() -> None:
    scenario = a_seated_case()
    scenario.having("TakeSeat", **OTHER, std=FLIGHT["std"], sta=FLIGHT["sta"], destination="LOS")
    assert scenario.names[-1] == "SeatReleased"
    assert scenario.case.seat is not None
    assert scenario.case.seat.movement == FLIGHT["movement"]


def delayed(hours: float, *, said: str) -> CaseScenario:
    """Fit to travel until two days after the scheduled departure of a delayed flight."""
    scenario = a_seated_case().at("2026-12-12T09:00:00Z").having("ManifestIsFrozen", **ON_IT)
    scenario.at("2026-12-13T22:00:00Z").having("IssueFitToTravel", result="FIT")
    scenario.claimed_at = datetime.fromisoformat(said)
    scenario.having("ReaffirmVoluntaryReturn")
    scenario.claimed_at = None
    scenario.at("2026-12-14T08:00:00Z").having("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=True)
    return scenario.at(datetime.fromisoformat(FLIGHT["std"]) + timedelta(hours=hours))


@pytest.mark.parametrize(("hours", "may"), [(-1, True), (0, True), (5, True), (5.01, False), (30, False)])
def test_on_a_late_flight_the_wish_is_measured_against_the_moment_of_boarding(hours: float, may: bool) -> None:
    scenario = delayed(hours, said="2026-12-11T14:00:00Z")
    if may:
        assert scenario.having("CheckInPassenger").having("BoardPassenger").names[-1] == "PassengerBoarded"
    else:
        assert scenario.refused("CheckInPassenger").failures == ("GATE.REAFFIRMATION.MISSING",)


def test_whoever_checked_in_in_time_does_not_board_when_it_has_become_late() -> None:
    scenario = delayed(5, said="2026-12-11T14:00:00Z").having("CheckInPassenger").after(minutes=1)
    assert scenario.refused("BoardPassenger").failures == ("GATE.REAFFIRMATION.MISSING",)
    scenario.having("ReaffirmVoluntaryReturn", checkpoint="GATE").having("BoardPassenger")
    assert scenario.names[-1] == "PassengerBoarded"


def test_whoever_has_boarded_is_not_taken_off_because_the_departure_is_reported_late() -> None:
    scenario = delayed(5, said="2026-12-11T14:00:00Z").having("CheckInPassenger").having("BoardPassenger")
    scenario.after(hours=2).having("AddNote", note="the tower has not called yet")
    assert scenario.case.seat is not None


def test_a_checked_in_person_boards_and_the_gate_is_on_record() -> None:
    assert a_boarded_case().names[-2:] == ["TravelGateEvaluated", "PassengerBoarded"]


def test_denied_boarding_takes_the_person_off_and_plans_again() -> None:
    scenario = a_boarded_case()
    scenario.say(DenyBoarding(by="CARRIER", cause="DOCUMENT"))
    assert [name for name in scenario.names if name in ("BoardingDenied", "PassengerOffloaded", "SeatReleased")] == [
        "BoardingDenied",
        "PassengerOffloaded",
        "SeatReleased",
    ]
    assert scenario.case.phase == "PRE_DEPARTURE"


@pytest.mark.parametrize(("cause", "counted"), [("UNKNOWN", 1), ("DETAINED", 0), ("HOSPITALISED", 0)])
def test_a_no_show_counts_only_if_it_was_the_persons_own(cause: str, counted: int) -> None:
    scenario = a_frozen_case().having("RecordNoShow", cause=cause)
    assert scenario.case.no_shows == counted
    assert scenario.case.seat is None


def test_there_is_nobody_to_take_off_without_a_seat() -> None:
    assert a_cleared_case().refused("OffloadPassenger", cause="x").rule == "SEAT.NONE"


def test_a_person_is_taken_off() -> None:
    scenario = a_boarded_case().having("OffloadPassenger", cause="UNRULY")
    assert "PassengerOffloaded" in scenario.names
    assert scenario.case.seat is None


def test_a_cancelled_flight_sends_the_case_back_and_remembers_it() -> None:
    scenario = a_frozen_case().having("MovementIsOff", cause="MOVEMENT_CANCELLED", **ON_IT)
    assert (scenario.case.phase, scenario.case.displaced, scenario.case.seat) == ("PRE_DEPARTURE", 1, None)


def test_another_flights_cancellation_means_nothing() -> None:
    assert a_frozen_case().send("MovementIsOff", cause="MOVEMENT_CANCELLED", **OTHER) == []


def test_the_flight_with_the_person_on_board_completes_the_stage() -> None:
    scenario = a_departed_case()
    assert scenario.case.phase == "TRANSIT"
    assert scenario.status("DEPARTURE") == "COMPLETED"


def test_who_was_left_behind_has_not_failed_to_come() -> None:
    scenario = departed(a_boarded_case(), on_board=False)
    assert (scenario.case.phase, scenario.case.no_shows, scenario.case.seat) == ("PRE_DEPARTURE", 0, None)


def test_who_is_in_the_air_is_in_the_air_and_the_breach_is_shown() -> None:
    scenario = departed(a_seated_case(), on_board=True, breaches=("NOT_BOARDED_BY_THE_RULES",))
    assert scenario.case.phase == "TRANSIT"
    assert scenario.named("FlightDeparted")[-1].facts["breaches"] == ("NOT_BOARDED_BY_THE_RULES",)
    assert [task.queue for task in scenario.case.tasks.values()] == ["PROTECTION_OFFICER"]


def test_a_departure_is_recorded_on_a_closed_case_which_stays_closed() -> None:
    scenario = a_screened_case().having("WithdrawVoluntaryReturn", channel="PHONE")
    scenario.having("CloseCase", reason="WITHDRAWN_BY_MIGRANT", approved_by="amaka")
    departed(scenario, on_board=True, breaches=("NOT_BOARDED_BY_THE_RULES",))
    assert scenario.case.phase == "CLOSED"
    assert scenario.case.reopen_proposed


def test_after_departure_the_wish_to_return_is_not_withdrawn_but_a_concern_is_heard() -> None:
    scenario = a_departed_case()
    assert scenario.refused("WithdrawVoluntaryReturn", channel="PHONE").rule == "INV-02"
    scenario.having("RaiseProtectionConcern", risk_level="HIGH", concern="afraid of the house")
    assert scenario.named("TaskRaised")


def test_briefing_is_recorded() -> None:
    assert a_seated_case().having("HoldPreDepartureBriefing", language="ha").names[-1] == "PreDepartureBriefingHeld"


def test_reopening_before_departure_leaves_no_old_seat() -> None:
    scenario = a_closed_case().having("ReopenCase", target_phase="PRE_DEPARTURE", reason="came back")
    assert scenario.case.seat is None
