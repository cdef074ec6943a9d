"""What invalidates what: which clearances and referrals end when a trigger occurs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.case.aggregate import Case
from domain.clearance.actions import revoke
from domain.kernel.event import Event
from domain.kernel.vocabulary import ClearanceKind, ReferralKind

# What invalidates what (rule INVALIDATION.TABLE)


class Trigger(StrEnum):
    RETURN_WITHDRAWN = "RETURN_WITHDRAWN"
    NOT_VOLUNTARY = "NOT_VOLUNTARY"
    """Any assessment of voluntariness other than VOLUNTARY; the cause does not reveal which."""
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    NOT_SAFE_TO_RETURN = "NOT_SAFE_TO_RETURN"
    PROTECTION_HOLD = "PROTECTION_HOLD"
    """Any protection concern: causes are public, so all concerns share one."""
    NATIONALITY_CHANGED = "NATIONALITY_CHANGED"
    NATIONALITY_NOT_CONFIRMED = "NATIONALITY_NOT_CONFIRMED"
    DESTINATION_CHANGED = "DESTINATION_CHANGED"
    AREA_CHANGED = "AREA_CHANGED"
    FLIGHT_CHANGED = "FLIGHT_CHANGED"
    DOCUMENT_LOST = "DOCUMENT_LOST"
    DOCUMENT_REFUSED = "DOCUMENT_REFUSED"
    PERMIT_REFUSED = "PERMIT_REFUSED"
    ADVISORY_CHANGED = "ADVISORY_CHANGED"
    DETAINED = "DETAINED"


@dataclass(frozen=True)
class Effect:
    """What a trigger ends: clearances, referrals that served only the journey, and whether the seat is released."""

    revokes: tuple[ClearanceKind, ...] = ()
    cancels: tuple[ReferralKind, ...] = ()
    seat: bool = False
    seat_once_frozen: bool = False
    """The seat is released only after the freeze; before it, the freeze evaluates the gate again."""


JOURNEY_KINDS: Final = (
    ReferralKind.EXIT_PERMIT,
    ReferralKind.MOVEMENT_BOOKING,
    ReferralKind.RECEPTION,
    ReferralKind.ESCORT,
    ReferralKind.AIRLINE_MEDICAL,
)

EMBASSY_KINDS: Final = (ReferralKind.CONSULAR_IDENTITY, ReferralKind.TRAVEL_DOCUMENT)

INVALIDATES: Final[Mapping[Trigger, Effect]] = {
    Trigger.RETURN_WITHDRAWN: Effect(
        revokes=(
            ClearanceKind.CONSENT_RETURN,
            ClearanceKind.RECEPTION_CONFIRMED,
            ClearanceKind.EXIT_PERMIT,
            ClearanceKind.ESCORT_ASSIGNED,
            ClearanceKind.AIRLINE_MEDICAL,
        ),
        cancels=JOURNEY_KINDS + EMBASSY_KINDS,
    ),
    Trigger.NOT_VOLUNTARY: Effect(revokes=(ClearanceKind.CONSENT_RETURN,)),
    Trigger.NOT_ELIGIBLE: Effect(revokes=(ClearanceKind.CONSENT_RETURN,), seat=True),
    Trigger.NOT_SAFE_TO_RETURN: Effect(
        revokes=(ClearanceKind.CONSENT_RETURN, ClearanceKind.SAFETY_OF_RETURN), seat=True
    ),
    Trigger.PROTECTION_HOLD: Effect(revokes=(ClearanceKind.PROTECTION_CLEARANCE,)),
    Trigger.NATIONALITY_CHANGED: Effect(
        revokes=(
            ClearanceKind.SAFETY_OF_RETURN,
            ClearanceKind.CONSENT_RETURN,
            ClearanceKind.TRAVEL_DOCUMENT,
            ClearanceKind.EXIT_PERMIT,
            ClearanceKind.RECEPTION_CONFIRMED,
        ),
        cancels=(*EMBASSY_KINDS, ReferralKind.EXIT_PERMIT, ReferralKind.RECEPTION),
        seat=True,
    ),
    Trigger.NATIONALITY_NOT_CONFIRMED: Effect(revokes=(ClearanceKind.TRAVEL_DOCUMENT, ClearanceKind.EXIT_PERMIT)),
    Trigger.DESTINATION_CHANGED: Effect(
        revokes=(ClearanceKind.SAFETY_OF_RETURN, ClearanceKind.CHILD_BEST_INTERESTS, ClearanceKind.RECEPTION_CONFIRMED),
        cancels=(ReferralKind.RECEPTION,),
        seat=True,
    ),
    Trigger.AREA_CHANGED: Effect(
        revokes=(ClearanceKind.SAFETY_OF_RETURN, ClearanceKind.RECEPTION_CONFIRMED),
        cancels=(ReferralKind.RECEPTION,),
    ),
    Trigger.FLIGHT_CHANGED: Effect(
        revokes=(ClearanceKind.RECEPTION_CONFIRMED, ClearanceKind.ESCORT_ASSIGNED, ClearanceKind.AIRLINE_MEDICAL),
        cancels=(ReferralKind.RECEPTION, ReferralKind.ESCORT),
    ),
    Trigger.DOCUMENT_LOST: Effect(revokes=(ClearanceKind.TRAVEL_DOCUMENT, ClearanceKind.EXIT_PERMIT)),
    Trigger.DOCUMENT_REFUSED: Effect(revokes=(ClearanceKind.TRAVEL_DOCUMENT, ClearanceKind.EXIT_PERMIT)),
    Trigger.PERMIT_REFUSED: Effect(revokes=(ClearanceKind.EXIT_PERMIT,)),
    Trigger.ADVISORY_CHANGED: Effect(revokes=(ClearanceKind.SAFETY_OF_RETURN,), seat_once_frozen=True),
    Trigger.DETAINED: Effect(
        revokes=(ClearanceKind.CONSENT_RETURN, ClearanceKind.PROTECTION_CLEARANCE, ClearanceKind.RELEASE_AUTHORISATION),
        seat=True,
    ),
}


def revocations(case: Case, trigger: Trigger) -> Iterator[Event]:
    """Revokes the clearances that a trigger ends and that are in force."""
    for kind in INVALIDATES[trigger].revokes:
        yield from revoke(case, kind, trigger)
