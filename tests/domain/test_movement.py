"""Movements: seats, waiting list, freeze, departure, and the messages to passengers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain import movement
from domain.kernel.context import PassengerReport
from domain.kernel.errors import Rejected
from domain.kernel.places import AIRPORTS, COUNTRY_OF
from tests.support.builders import FLIGHT, CaseScenario
from tests.support.journeys import (
    PLAN,
    FlightScenario,
    a_cancelled_flight,
    a_full_flight,
    a_planned_flight,
    an_arrived_flight,
    passenger,
)


def refused(flight: FlightScenario, name: str, **fields: Any) -> Rejected:
    with pytest.raises(Rejected) as caught:
        flight.send(name, **fields)
    return caught.value


def messages_of(flight: FlightScenario, name: str) -> list[tuple[object, str]]:
    """The recipients and types of the messages that the latest event of a name sends."""
    event = [event for event in flight.events if event.name == name][-1]
    return [(to, type(letter).__name__) for to, letter in movement.letters(flight.movement, event)]


def test_a_movement_is_planned_confirmed_frozen_flown_and_landed() -> None:
    names = an_arrived_flight().names
    assert names[:2] == ["MovementPlanned", "MovementConfirmed"]
    assert names[-3:] == ["ManifestFrozen", "FlightDeparted", "FlightArrived"]


def test_nothing_happens_to_a_movement_that_was_never_planned() -> None:
    assert refused(FlightScenario(), "ConfirmMovement", carrier="x").rule == "MOVEMENT.NOT_PLANNED"


@pytest.mark.parametrize(
    ("destination", "entered", "country"),
    [("LOS", None, "NGA"), ("LOS", "NGA", "NGA"), ("XYZ", "NGA", "NGA"), ("XYZ", None, None)],
)
def test_a_seated_passenger_receives_the_destination(
    destination: str, entered: str | None, country: str | None
) -> None:
    plan = PLAN | {"destination": destination, "country": entered}
    flight = FlightScenario().having("PlanMovement", **plan).having("RequestSeat", case_id=passenger(0))
    reserved = [event for event in flight.events if event.name == "SeatReserved"][-1]
    ((_, letter),) = movement.letters(flight.movement, reserved)
    assert (letter.destination, letter.country) == (destination, country)  # type: ignore[attr-defined]


def test_the_country_of_a_known_airport_is_fixed() -> None:
    refusal = refused(FlightScenario(), "PlanMovement", **PLAN, country="SDN")
    assert (refusal.rule, refusal.field) == ("MOVEMENT.COUNTRY", "country")
    assert refusal.detail == "airport LOS is in NGA, not in SDN"


def test_every_airport_has_one_country() -> None:
    assert len(COUNTRY_OF) == sum(len(codes) for codes in AIRPORTS.values())


def test_a_movement_is_planned_once() -> None:
    assert refused(a_planned_flight(), "PlanMovement", **PLAN).rule == "MOVEMENT.EXISTS"


@pytest.mark.parametrize("times", [{"std": "2026-11-01T00:00:00Z"}, {"sta": FLIGHT["std"]}])
def test_a_movement_leaves_in_the_future_and_arrives_later(times: dict[str, str]) -> None:
    assert refused(FlightScenario(), "PlanMovement", **(PLAN | times)).rule == "MOVEMENT.TIMES"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("FreezeManifest", {}),
        ("RecordFlightArrival", {}),
        ("RecordFlightDeparture", {}),
    ],
)
def test_a_movement_goes_its_steps_in_order(name: str, fields: dict[str, Any]) -> None:
    assert refused(a_planned_flight(), name, **fields).rule == "MOVEMENT.STATUS"


def test_a_request_after_the_last_seat_joins_the_waiting_list() -> None:
    flight = a_full_flight()
    assert set(flight.movement.seats) == {passenger(0), passenger(1)}
    assert flight.movement.waiting == [passenger(2)]
    assert messages_of(flight, "PassengerWaitlisted") == [(passenger(2), "SeatUnavailable")]


def test_a_seat_is_requested_once() -> None:
    flight = a_full_flight()
    assert flight.send("RequestSeat", case_id=passenger(0)) == []
    assert flight.send("RequestSeat", case_id=passenger(2)) == []


def test_a_released_seat_goes_to_the_longest_waiting_passenger() -> None:
    flight = a_full_flight().having("GiveUpSeat", case_id=passenger(0))
    assert set(flight.movement.seats) == {passenger(1), passenger(2)}
    assert messages_of(flight, "SeatReserved") == [(passenger(2), "TakeSeat")]


def test_after_the_freeze_no_passenger_is_added() -> None:
    flight = a_full_flight().having("FreezeManifest").having("GiveUpSeat", case_id=passenger(0))
    assert set(flight.movement.seats) == {passenger(1)}
    assert flight.having("RequestSeat", case_id=passenger(7)).movement.waiting == [passenger(2), passenger(7)]


def test_a_freeze_notifies_all_passengers_and_the_waiting_list() -> None:
    flight = a_full_flight().having("FreezeManifest")
    assert messages_of(flight, "ManifestFrozen") == [
        (passenger(0), "ManifestIsFrozen"),
        (passenger(1), "ManifestIsFrozen"),
        (passenger(2), "MovementIsOff"),
    ]


def test_a_seat_request_after_the_freeze_is_declined() -> None:
    flight = a_full_flight().having("FreezeManifest").having("RequestSeat", case_id=passenger(7))
    assert messages_of(flight, "PassengerWaitlisted")[-1] == (passenger(7), "MovementIsOff")


def test_a_cancelled_flight_notifies_all_seated_and_waiting_passengers() -> None:
    flight = a_cancelled_flight()
    assert messages_of(flight, "MovementCancelled") == [(passenger(each), "MovementIsOff") for each in range(3)]
    assert flight.movement.over
    assert flight.movement.waiting == []


def test_passengers_who_boarded_by_the_rules_are_on_board_and_the_others_are_left_behind() -> None:
    flight = a_full_flight().having("FreezeManifest")
    event = flight.send("RecordFlightDeparture", boarded=frozenset({passenger(1)}))[0]
    assert (event.facts["boarded"], event.facts["left_behind"]) == ((passenger(1),), (passenger(0),))
    assert event.facts["breaches"] == ()


def test_a_passenger_reported_on_board_without_boarding_is_a_breach() -> None:
    flight = a_full_flight().having("FreezeManifest")
    order = movement.RecordFlightDeparture(boarded=(passenger(0), passenger(1)))
    moment = CaseScenario(now=flight.now).moment()
    event = movement.decide(flight.movement, order, moment)[0]
    assert event.facts["breaches"] == (passenger(0), passenger(1))
    sent = [letter for _, letter in movement.letters(flight.movement, event)]
    assert all(getattr(letter, "breaches", ()) == ("NOT_BOARDED_BY_THE_RULES",) for letter in sent)


def test_without_a_passenger_list_no_pending_passenger_is_recorded_as_left_behind() -> None:
    flight = a_full_flight().having("FreezeManifest")
    moment = replace(
        CaseScenario(now=flight.now).moment(),
        passengers=PassengerReport(on_board=frozenset({passenger(1)}), undecided=frozenset({passenger(0)})),
    )
    with pytest.raises(
        Rejected, match="1 passengers' cases have messages that are not decided yet; list who is on board"
    ) as rejected:
        movement.decide(flight.movement, movement.RecordFlightDeparture(), moment)
    assert (rejected.value.rule, rejected.value.field) == ("MOVEMENT.UNHEARD", "boarded")

    order = movement.RecordFlightDeparture(boarded=(passenger(0), passenger(1)))
    assert movement.decide(flight.movement, order, moment)[0].facts["breaches"] == (passenger(0),)


def test_a_confirmed_movement_freezes_automatically_two_days_before_departure() -> None:
    flight = a_full_flight()
    due = movement.deadlines(flight.movement)[0]
    assert due.due == datetime.fromisoformat(FLIGHT["std"]) - timedelta(hours=48)
    names = [
        event.name for event in movement.decide_lapse(flight.movement, due, CaseScenario(now=due.due).moment("system"))
    ]
    assert names == ["ManifestFrozen"]
    assert movement.deadlines(flight.movement) == []


def test_an_arrived_movement_is_over() -> None:
    flight = an_arrived_flight()
    assert movement.progress_of(flight.movement, CaseScenario(now=flight.now).moment()).over
