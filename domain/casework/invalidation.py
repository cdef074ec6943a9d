"""Ends clearances, the seat and referrals when an event changes what they were based on (rule INVALIDATION.TABLE).

Stages may depend on earlier stages, never on later ones, so screening cannot release a seat itself. This module maps
each event to a row of the table, whichever handler recorded the event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from domain.case.aggregate import Case
from domain.casework.seat import end_referrals, vacate_seat
from domain.clearance.revocations import INVALIDATES, Effect, Trigger, revocations
from domain.events.documents import NationalityChanged
from domain.events.protection import ReturnAdvisoryChanged
from domain.events.screening import ELIGIBLE, DetentionRecorded, EligibilityDetermined, VoluntaryReturnDeclared
from domain.kernel.context import Context
from domain.kernel.event import Event


def invalidated(case: Case, event: Event, ctx: Context) -> Iterator[Event]:
    """Yields what ends because of an event that was just applied."""
    trigger_of = TRIGGERS.get(type(event))
    trigger = trigger_of(case, event) if trigger_of else None
    if trigger is None or case.departed:
        return
    yield from revocations(case, trigger)
    if _releases_seat(case, INVALIDATES[trigger]):
        yield from vacate_seat(case, trigger, ctx)
    yield from end_referrals(case, trigger, ctx)


def _releases_seat(case: Case, effect: Effect) -> bool:
    frozen = case.seat is not None and case.seat.frozen
    return effect.seat or (effect.seat_once_frozen and frozen)


def _place_changed(case: Case, declared: VoluntaryReturnDeclared) -> Trigger | None:
    if case.country_since == declared.originator_version:
        return Trigger.DESTINATION_CHANGED
    return Trigger.AREA_CHANGED if declared.place_anew else None


def _no_longer_eligible(_case: Case, decided: EligibilityDetermined) -> Trigger | None:
    if decided.decision in ELIGIBLE:
        return None
    return Trigger.NOT_SAFE_TO_RETURN if decided.decision == "NOT_SAFE_TO_RETURN" else Trigger.NOT_ELIGIBLE


TRIGGERS: Final[Mapping[type[Event], Callable[[Case, Any], Trigger | None]]] = {
    VoluntaryReturnDeclared: _place_changed,
    EligibilityDetermined: _no_longer_eligible,
    DetentionRecorded: lambda _case, _recorded: Trigger.DETAINED,
    ReturnAdvisoryChanged: lambda _case, _changed: Trigger.ADVISORY_CHANGED,
    NationalityChanged: lambda _case, _changed: Trigger.NATIONALITY_CHANGED,
}
