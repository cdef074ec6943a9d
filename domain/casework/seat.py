"""Releases a seat and ends the referrals that served only the journey."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from domain.case.aggregate import Case
from domain.clearance.revocations import INVALIDATES, Trigger, revocations
from domain.events.departure import PassengerOffloaded, SeatReleased
from domain.kernel.context import Context
from domain.kernel.event import Event
from domain.referral.requests import cancel

ABOARD: Final = frozenset({"CHECKED_IN", "BOARDED"})


def vacate_seat(case: Case, cause: str, ctx: Context) -> Iterator[Event]:
    """Releases the seat, offloads a person who checked in or boarded, and ends what served only this flight."""
    seat = case.seat
    if case.departed:
        return
    if seat is None:
        yield from release_nomination(case, cause)
        return
    if seat.status in ABOARD:
        yield PassengerOffloaded(movement=seat.movement, cause=cause)
    yield SeatReleased(movement_id=seat.movement_id, movement=seat.movement, cause=cause)
    yield from revocations(case, Trigger.FLIGHT_CHANGED)
    yield from end_referrals(case, Trigger.FLIGHT_CHANGED, ctx)


def release_nomination(case: Case, cause: str) -> Iterator[Event]:
    """Removes the person from the waiting list of the nominated flight."""
    if case.nomination is not None:
        movement_id, movement = case.nomination
        yield SeatReleased(movement_id=movement_id, movement=movement, cause=cause)


def end_referrals(case: Case, trigger: Trigger, ctx: Context) -> Iterator[Event]:
    """Cancels the open referrals that the trigger makes obsolete."""
    for referral in list(case.open_referrals()):
        if referral.kind in INVALIDATES[trigger].cancels:
            yield from cancel(case, referral, ctx)
