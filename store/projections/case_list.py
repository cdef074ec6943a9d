"""The list of cases: phase, stages, holds and flight, one row per case. Contains no sensitive data."""

from __future__ import annotations

from typing import Any, Final

from domain.case.aggregate import BEFORE_DEPARTURE, ENDED
from domain.events.screening import ELIGIBLE
from domain.kernel.vocabulary import Phase, Priority, Stage, StageStatus
from store.projections.projection import Projection, Row, State

ALL: Final = tuple(stage.value for stage in Stage)

AFTER_ARRIVAL: Final = (Stage.RECEPTION.value, Stage.REINTEGRATION.value)

ACTIVE: Final = frozenset({StageStatus.OPEN.value, StageStatus.REOPENED.value})


def _registered(row: Row, state: State, record: Any) -> None:
    row |= {
        "number": state["number"],
        "phase": Phase.INTAKE.value,
        "stages": dict.fromkeys(ALL, StageStatus.NOT_STARTED.value),
        "holds": [],
        "country_of_return": state["country_of_return"],
        "office": state["office"],
        "priority": Priority.P4_STANDARD.value,
        "movement": None,
        "opened_at": record["recorded_at"],
    }


def _prioritised(row: Row, state: State, _: Any) -> None:
    row["priority"] = state["priority"]


def _declared(row: Row, state: State, _: Any) -> None:
    row["country_of_return"] = state["country"]


def _found_eligible(row: Row, state: State, _: Any) -> None:
    if state["decision"] in ELIGIBLE and row["phase"] == Phase.INTAKE:
        row["phase"] = Phase.PRE_DEPARTURE.value


def _stage_opened(row: Row, state: State, _: Any) -> None:
    row["stages"][state["stage"]] = StageStatus.OPEN.value


def _stage_completed(row: Row, state: State, _: Any) -> None:
    row["stages"][state["stage"]] = StageStatus.COMPLETED.value


def _stage_reopened(row: Row, state: State, _: Any) -> None:
    row["stages"][state["stage"]] = StageStatus.REOPENED.value


def _hold_placed(row: Row, state: State, _: Any) -> None:
    row["holds"] = sorted([*row["holds"], state["hold_type"]])


def _hold_lifted(row: Row, state: State, _: Any) -> None:
    if state["hold_type"] in row["holds"]:
        row["holds"].remove(state["hold_type"])


def _seated(row: Row, state: State, _: Any) -> None:
    row["movement"] = state["movement"]


def _unseated(row: Row, state: State, _: Any) -> None:
    if state["movement"] != row["movement"]:
        return  # a reserved seat that the case never accepted
    row["movement"] = None
    if row["phase"] == Phase.DEPARTURE:
        row["phase"] = Phase.PRE_DEPARTURE.value


def _frozen(row: Row, _state: State, _: Any) -> None:
    row["phase"] = Phase.DEPARTURE.value


def _departed(row: Row, _state: State, _: Any) -> None:
    if row["phase"] == Phase.CLOSED:
        return
    row["phase"] = Phase.TRANSIT.value
    for stage in BEFORE_DEPARTURE:
        if row["stages"][stage.value] not in ENDED:
            row["stages"][stage.value] = StageStatus.ABANDONED.value


def _arrived(row: Row, _state: State, _: Any) -> None:
    row["phase"] = Phase.POST_ARRIVAL.value


def _closed(row: Row, _state: State, _: Any) -> None:
    row["phase"] = Phase.CLOSED.value
    for stage, status in row["stages"].items():
        if status in ACTIVE:
            row["stages"][stage] = StageStatus.ABANDONED.value


def _reopened(row: Row, state: State, _: Any) -> None:
    row["phase"] = state["target_phase"]
    if state["target_phase"] != Phase.POST_ARRIVAL:
        row["movement"] = None
    again = AFTER_ARRIVAL if state["target_phase"] == Phase.POST_ARRIVAL else ALL
    row["stages"] |= dict.fromkeys(again, StageStatus.NOT_STARTED.value)


CASE_LIST: Final = Projection(
    name="case_list",
    key=("stream_id",),
    columns={
        "stream_id": "uuid",
        "number": "text",
        "phase": "text",
        "stages": "jsonb",
        "holds": "text[]",
        "country_of_return": "text",
        "office": "text",
        "priority": "text",
        "movement": "text",
        "opened_at": "timestamptz",
        "version": "bigint",
        "updated_at": "timestamptz",
    },
    begins="CaseRegistered",
    changes={
        "CaseRegistered": _registered,
        "CasePriorityAssigned": _prioritised,
        "VoluntaryReturnDeclared": _declared,
        "EligibilityDetermined": _found_eligible,
        "StageOpened": _stage_opened,
        "StageCompleted": _stage_completed,
        "StageReopened": _stage_reopened,
        "HoldPlaced": _hold_placed,
        "HoldLifted": _hold_lifted,
        "SeatReserved": _seated,
        "SeatReleased": _unseated,
        "ManifestFrozen": _frozen,
        "FlightDeparted": _departed,
        "ArrivalConfirmed": _arrived,
        "CaseClosed": _closed,
        "CaseReopened": _reopened,
    },
    every=lambda topic: not topic.startswith("Movement/"),
)
