"""One row per movement: from where to where, when, and who holds a seat (by opaque case id)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from store.projections.projection import Change, Projection, Row, Said


def _planned(row: Row, said: Said, _: Any) -> None:
    row |= {
        "number": said["number"],
        "status": "PLANNED",
        "origin": said["origin"],
        "destination": said["destination"],
        "std": datetime.fromisoformat(said["std"]),
        "sta": datetime.fromisoformat(said["sta"]),
        "capacity": said["capacity"],
        "seats": [],
        "waiting": [],
    }


def _is(status: str) -> Change:
    def change(row: Row, _said: Said, _: Any) -> None:
        row["status"] = status

    return change


def _reserved(row: Row, said: Said, _: Any) -> None:
    row["seats"] = _with(row["seats"], said["case_id"])
    row["waiting"] = _without(row["waiting"], said["case_id"])


def _waitlisted(row: Row, said: Said, _: Any) -> None:
    row["waiting"] = _with(row["waiting"], said["case_id"])


def _released(row: Row, said: Said, _: Any) -> None:
    row["seats"] = _without(row["seats"], said["case_id"])
    row["waiting"] = _without(row["waiting"], said["case_id"])


def _cancelled(row: Row, _said: Said, _: Any) -> None:
    row["status"], row["seats"], row["waiting"] = "CANCELLED", [], []


def _departed(row: Row, said: Said, _: Any) -> None:
    row["status"], row["seats"] = "DEPARTED", list(said["boarded"])


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
        "Movement/MovementConfirmed": _is("CONFIRMED"),
        "Movement/SeatReserved": _reserved,
        "Movement/PassengerWaitlisted": _waitlisted,
        "Movement/SeatReleased": _released,
        "Movement/ManifestFrozen": _is("FROZEN"),
        "Movement/MovementCancelled": _cancelled,
        "Movement/FlightDeparted": _departed,
        "Movement/FlightArrived": _is("ARRIVED"),
    },
    every=lambda topic: topic.startswith("Movement/"),
)
