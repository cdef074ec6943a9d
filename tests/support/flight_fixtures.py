"""A movement built in memory by the rules: two seats and four passengers, two of whom release their seat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4, uuid5

from domain.kernel.context import Context
from domain.kernel.event import Event
from domain.movement import ConfirmMovement, GiveUpSeat, Movement, PlanMovement, RequestSeat, decide
from tests.support.builders import MONDAY, PARTNERS

PASSENGERS = tuple(uuid5(UUID(int=7), str(nth)) for nth in range(4))


def a_flight(ends: Sequence[Any]) -> tuple[Movement, list[Event]]:
    flight, events = Movement(uuid4()), list[Event]()
    planned = PlanMovement(
        number="MOV-2026-1214-MJI", origin="MJI", destination="LOS", capacity=2,
        std="2026-12-14T09:00:00Z", sta="2026-12-14T14:00:00Z",
    )  # fmt: skip
    seats = [RequestSeat(case_id=case_id) for case_id in PASSENGERS]
    given_up = [GiveUpSeat(case_id=PASSENGERS[1]), GiveUpSeat(case_id=PASSENGERS[3])]
    for message in (planned, ConfirmMovement(carrier="air"), *seats, *given_up, *ends):
        ctx = Context(MONDAY, MONDAY, "staff:amal", uuid4(), PARTNERS, lambda: "")
        events += decide(flight, message, ctx)
    return flight, events
