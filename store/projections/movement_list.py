"""The list of movements: route, times, and the cases with a seat (by opaque case id), one row per movement."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from store.projections.projection import Change, Projection, Row, State


def _planned(row: Row, state: State, _: Any) -> None:
    row |= {
        "number": state["number"],
        "status": "PLANNED",
        "origin": state["origin"],
        "destination": state["destination"],
        "std": datetime.fromisoformat(state["std"]),
        "sta": datetime.fromisoformat(state["sta"]),
        "capacity": state["capacity"],
        "seats": [],
        "waiting": [],
    }


def _set_status(status: str) -> Change:
    def change(row: Row, _state: State, _: Any) -> None:
        row["status"] = status

    return change


def _reserved(row: Row, state: State, _: Any) -> None:
    row["seats"] = _with(row["seats"], state["case_id"])
    row["waiting"] = _without(row["waiting"], state["case_id"])


def _waitlisted(row: Row, state: State, _: Any) -> None:
    row["waiting"] = _with(row["waiting"], state["case_id"])


def _released(row: Row, state: State, _: Any) -> None:
    row["seats"] = _without(row["seats"], state["case_id"])
    row["waiting"] = _without(row["waiting"], state["case_id"])


def _cancelled(row: Row, _state: State, _: Any) -> None:
    row["status"], row["seats"], row["waiting"] = "CANCELLED", [], []


def _departed(row: Row, state: State, _: Any) -> None:
    row["status"], row["seats"] = "DEPARTED", list(state["boarded"])


def _with(cases: list[str], case: str) -> list[str]:
    return [*_without(cases, case), case]


def _without(cases: list[str], case: str) -> list[str]:
    return [each for each in cases if each != case]


MOVEMENT_LIST: Final = Projection(
    name="movement_list",
    key=("stream_id",),
    columns={
        "stream_id": "uuid",
        "number": "text",
        "status": "text",
        "origin": "text",
        "destination": "text",
        "std": "timestamptz",
        "sta": "timestamptz",
        "capacity": "bigint",
        "seats": "uuid[]",
        "waiting": "uuid[]",
        "version": "bigint",
        "updated_at": "timestamptz",
    },
    begins="Movement/MovementPlanned",
    changes={
        "Movement/MovementPlanned": _planned,
        "Movement/MovementConfirmed": _set_status("CONFIRMED"),
        "Movement/SeatReserved": _reserved,
        "Movement/PassengerWaitlisted": _waitlisted,
        "Movement/SeatReleased": _released,
        "Movement/ManifestFrozen": _set_status("FROZEN"),
        "Movement/MovementCancelled": _cancelled,
        "Movement/FlightDeparted": _departed,
        "Movement/FlightArrived": _set_status("ARRIVED"),
    },
    every=lambda topic: topic.startswith("Movement/"),
)
