"""The projection of cases has its own functions: after each event its rows must agree with the aggregate."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.case.aggregate import Case
from domain.kernel.event import Event, sealed_fields
from store.projections.case_list import CASE_LIST
from tests.domain.test_properties import BEGINNINGS, a_message, submit
from tests.support.builders import (
    FLIGHT,
    CaseScenario,
    a_boarded_case,
    a_closed_case,
    a_received_case,
    a_screened_case,
    a_seated_case,
    folded,
)
from tests.support.journeys import CASES, ON_IT

ANOTHER: Final = {"movement_id": str(UUID(int=8)), "movement": "MOV-2026-1221-MJI-LOS-02"}


def row_of(event: Event) -> dict[str, Any]:
    """Returns the event as the projector reads it, without sealed fields."""
    state = event.model_dump(mode="json", exclude={*sealed_fields(type(event)), "originator_id", "timestamp"})
    return {
        "stream_id": event.originator_id,
        "topic": event.TOPIC,
        "state": json.dumps(state),
        "version": event.originator_version,
        "recorded_at": event.timestamp,
    }


def assert_alike(events: Iterable[Event]) -> None:
    """Asserts that the row agrees with the case at every version."""
    rows: dict[Any, dict[str, Any]] = {}
    case = folded(())
    for event in events:
        event.mutate(case)
        CASE_LIST.fold(rows, row_of(event))  # type: ignore[arg-type]  # a mapping like a record
        assert seen(rows[(event.originator_id,)]) == said_by(case), f"after {event.name} at {event.originator_version}"


def seen(row: dict[str, Any]) -> dict[str, Any]:
    columns = ("number", "phase", "stages", "holds", "movement", "country_of_return", "priority", "version")
    return {name: row[name] for name in columns}


def said_by(case: Case) -> dict[str, Any]:
    return {
        "number": case.number,
        "phase": case.phase,
        "stages": {stage.value: state.status.value for stage, state in case.stages.items()},
        "holds": sorted(hold.type.value for hold in case.holds.values()),
        "movement": case.seat.movement if case.seat else None,
        "country_of_return": case.country_of_return,
        "priority": case.priority,
        "version": case.version,
    }


@pytest.mark.parametrize("journey", CASES)
def test_on_every_journey_the_row_says_what_the_case_says(journey: str) -> None:
    assert_alike(CASES[journey]().events)


def a_place_elsewhere_is_off() -> CaseScenario:
    """A reserved seat on another flight is released; the confirmed seat stays."""
    told = a_seated_case()
    return told.having("TakeSeat", **(FLIGHT | ANOTHER), destination="LOS").having(
        "SeatUnavailable", **ANOTHER, cause="x"
    )


def flown_when_closed() -> CaseScenario:
    return a_closed_case().having("FlightHasDeparted", atd=FLIGHT["std"], on_board=True, **ON_IT)


def flown_against_the_rules() -> CaseScenario:
    """Stages that are still open become abandoned."""
    return a_screened_case().having("FlightHasDeparted", atd=FLIGHT["std"], on_board=True, **ON_IT)


def reopened_with_a_seat_that_flew() -> CaseScenario:
    told = a_received_case().having("CloseCase", reason="NO_CONTACT", approved_by="amaka")
    return told.having("ReopenCase", target_phase="PRE_DEPARTURE", reason="entered in error")


def offloaded() -> CaseScenario:
    return a_boarded_case().having("WithdrawVoluntaryReturn", channel="AIRPORT")


ODD: Final[dict[str, Callable[[], CaseScenario]]] = {
    made.__name__: made
    for made in (
        a_place_elsewhere_is_off,
        flown_when_closed,
        flown_against_the_rules,
        reopened_with_a_seat_that_flew,
        offloaded,
    )
}


@pytest.mark.parametrize("journey", ODD)
def test_where_the_case_goes_an_odd_way_the_row_goes_with_it(journey: str) -> None:
    assert_alike(ODD[journey]().events)


@given(st.sampled_from(BEGINNINGS), st.data())
def test_whatever_is_said_the_row_says_what_the_case_says(
    begin: Callable[[], CaseScenario], data: st.DataObject
) -> None:
    told = begin()
    for _ in range(data.draw(st.integers(1, 8))):
        submit(told, a_message(data.draw, told))
    assert_alike(told.events)
