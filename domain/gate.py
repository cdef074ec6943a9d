"""The travel gate, and what invalidates what: two tables and the two functions that read them.

The gate returns every failure, never just the first (domain.md 4.3). Default on doubt is *do not travel*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from domain.advisory import Advisory, outdated
from domain.calendar import LIBYA
from domain.case import Case, Clearance, Seat
from domain.event import Event
from domain.policy import InForce
from domain.steps import revoke
from domain.wish import counts
from domain.words import (
    DETAINED,
    Block,
    Checkpoint,
    ClearanceKind,
    ClearanceStatus,
    ReferralKind,
)

C = ClearanceKind
P = Checkpoint


@dataclass(frozen=True)
class Journey:
    """The movement a person is measured against: scheduled departure and arrival (UTC), and whereto if it is known."""

    std: datetime
    sta: datetime
    country: str | None = None


def journey_on(seat: Seat, at: datetime | None = None) -> Journey:
    """The journey of whoever has that seat; a flight that has not left when it should leaves ``at`` the earliest."""
    late = max(at - seat.std, timedelta()) if at else timedelta()
    return Journey(seat.std + late, seat.sta + late, seat.country)


ALWAYS: Final = frozenset(P)
FROM_FREEZE: Final = frozenset({P.FREEZE, P.CHECK_IN, P.BOARD})
AT_THE_AIRPORT: Final = frozenset({P.CHECK_IN, P.BOARD})

REQUIRED_AT: Final[Mapping[ClearanceKind, frozenset[Checkpoint]]] = {
    C.CONSENT_RETURN: ALWAYS,
    C.PROTECTION_CLEARANCE: ALWAYS,
    C.SAFETY_OF_RETURN: ALWAYS,
    C.MEDICAL_ASSESSMENT: ALWAYS,
    C.FUNDING_ALLOCATED: ALWAYS,
    C.TRAVEL_DOCUMENT: FROM_FREEZE,
    C.EXIT_PERMIT: FROM_FREEZE,
    C.RECEPTION_CONFIRMED: FROM_FREEZE,
    C.FIT_TO_TRAVEL: AT_THE_AIRPORT,
    C.RELEASE_AUTHORISATION: FROM_FREEZE,
    C.CHILD_BEST_INTERESTS: ALWAYS,
}

BLOCKED_BY: Final[Mapping[Checkpoint, frozenset[Block]]] = {
    P.NOMINATE: frozenset({Block.MANIFEST}),
    P.FREEZE: frozenset({Block.MANIFEST}),
    P.CHECK_IN: frozenset({Block.MANIFEST, Block.BOARDING}),
    P.BOARD: frozenset({Block.MANIFEST, Block.BOARDING}),
}


def travel_gate(
    case: Case, checkpoint: Checkpoint, journey: Journey, policy: InForce, advisories: Sequence[Advisory]
) -> tuple[str, ...]:
    """Every reason why this person may not pass this checkpoint for this journey; empty if they may.

    ``advisories`` are those of today, whatever the case has been told of them so far.
    """
    return tuple(
        dict.fromkeys(
            (
                *_holds(case, checkpoint),
                *_whereto(case, journey),
                *_clearances(case, checkpoint, journey, policy),
                *_advised(case, advisories),
                *_begun(case, checkpoint),
                *_own_word(case, checkpoint, journey, policy),
                *_doubts(case, checkpoint),
            )
        )
    )


def _holds(case: Case, checkpoint: Checkpoint) -> Iterator[str]:
    return (f"GATE.HOLD.{hold.type}" for hold in case.holds.values() if hold.blocks & BLOCKED_BY[checkpoint])


def _whereto(case: Case, journey: Journey) -> Iterator[str]:
    """Nobody is flown to another country than the one they declared they want to return to."""
    if journey.country is not None and journey.country != case.country_of_return:
        yield "GATE.DESTINATION.OTHER_COUNTRY"


def _clearances(case: Case, checkpoint: Checkpoint, journey: Journey, policy: InForce) -> Iterator[str]:
    for kind, checkpoints in REQUIRED_AT.items():
        if checkpoint in checkpoints and _is_required(case, kind, journey):
            failure = _failure(case.clearances.get(kind), journey, policy)
            if failure:
                yield f"GATE.{kind}.{failure}"


def _is_required(case: Case, kind: ClearanceKind, journey: Journey) -> bool:
    if kind is C.RELEASE_AUTHORISATION:
        return case.living_situation in DETAINED
    if kind is C.CHILD_BEST_INTERESTS:
        return case.person is not None and case.person.is_child(journey.std.date())
    return True


def _failure(clearance: Clearance | None, journey: Journey, policy: InForce) -> str | None:
    if clearance is None:
        return "MISSING"
    if clearance.status is ClearanceStatus.NOT_REQUIRED:
        return None
    if clearance.status is not ClearanceStatus.VALID:
        return clearance.status.value
    return _ends_too_early(clearance, journey, policy)


def _ends_too_early(clearance: Clearance, journey: Journey, policy: InForce) -> str | None:
    """A permission that ends exactly at departure still serves; a document needs a margin after arrival."""
    if clearance.valid_until is None:
        return None
    if clearance.kind is C.TRAVEL_DOCUMENT:
        needed = LIBYA.after(journey.sta, policy.document_margin)
        return "EXPIRES_BEFORE_ARRIVAL" if clearance.valid_until < needed else None
    return "EXPIRES_BEFORE_STD" if clearance.valid_until < journey.std else None


def _advised(case: Case, advisories: Sequence[Advisory]) -> Iterator[str]:
    """INV-11: a safety that was assessed under an advisory of yesterday is none."""
    if outdated(case, advisories):
        yield "GATE.SAFETY_OF_RETURN.ADVISORY_CHANGED"


def _begun(case: Case, checkpoint: Checkpoint) -> Iterator[str]:
    """Before nomination, papers need only be on their way."""
    if checkpoint is P.NOMINATE and not case.nationality_confirmed:
        yield "GATE.TRAVEL_DOCUMENT.NATIONALITY_NOT_CONFIRMED"


def _own_word(case: Case, checkpoint: Checkpoint, journey: Journey, policy: InForce) -> Iterator[str]:
    """INV-01: the person said again, not long before departure, that they want to go.

    It counts from when it was said, not from when somebody came to type it, and only after the newest doubt.
    """
    if checkpoint not in AT_THE_AIRPORT:
        return
    oldest = LIBYA.before(journey.std, policy.reaffirmation)
    words: list[Any] = case.facts.get("VoluntaryReturnReaffirmed", [])
    said = [word for word in words if word.when >= oldest]
    if not said:
        yield "GATE.REAFFIRMATION.MISSING"
    elif not any(counts(case, word, word.when) for word in said):
        yield "GATE.REAFFIRMATION.WITHDRAWN"


def _doubts(case: Case, checkpoint: Checkpoint) -> Iterator[str]:
    """A signal in quarantine blocks from the moment it was received (domain.md 00, 3); so does any other message."""
    if checkpoint is P.NOMINATE:
        return
    if any(referral.disputed for referral in case.referrals.values()):
        yield "GATE.SIGNAL.IN_DOUBT"
    if case.doubts:
        yield "GATE.MESSAGE.IN_DOUBT"


# What invalidates what (domain.md 4.7)


class Trigger(StrEnum):
    RETURN_WITHDRAWN = "RETURN_WITHDRAWN"
    NOT_VOLUNTARY = "NOT_VOLUNTARY"
    """Any assessment of the person's free will but a clear yes; whether it is a no or a doubt is not told twice."""
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    NOT_SAFE_TO_RETURN = "NOT_SAFE_TO_RETURN"
    PROTECTION_HOLD = "PROTECTION_HOLD"
    """Any protection matter, whichever: causes are public, so they all read alike."""
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
    """What a trigger ends: permissions, the referrals that served only the journey, and whether the seat goes back."""

    revokes: tuple[ClearanceKind, ...] = ()
    cancels: tuple[ReferralKind, ...] = ()
    seat: bool = False
    seat_once_frozen: bool = False
    """Before the freeze the seat is kept: the freeze asks the gate again."""


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
        revokes=(C.CONSENT_RETURN, C.RECEPTION_CONFIRMED, C.EXIT_PERMIT, C.ESCORT_ASSIGNED, C.AIRLINE_MEDICAL),
        cancels=JOURNEY_KINDS + EMBASSY_KINDS,
    ),
    Trigger.NOT_VOLUNTARY: Effect(revokes=(C.CONSENT_RETURN,)),
    Trigger.NOT_ELIGIBLE: Effect(revokes=(C.CONSENT_RETURN,), seat=True),
    Trigger.NOT_SAFE_TO_RETURN: Effect(revokes=(C.CONSENT_RETURN, C.SAFETY_OF_RETURN), seat=True),
    Trigger.PROTECTION_HOLD: Effect(revokes=(C.PROTECTION_CLEARANCE,)),
    Trigger.NATIONALITY_CHANGED: Effect(
        revokes=(C.SAFETY_OF_RETURN, C.CONSENT_RETURN, C.TRAVEL_DOCUMENT, C.EXIT_PERMIT, C.RECEPTION_CONFIRMED),
        cancels=(*EMBASSY_KINDS, ReferralKind.EXIT_PERMIT, ReferralKind.RECEPTION),
        seat=True,
    ),
    Trigger.NATIONALITY_NOT_CONFIRMED: Effect(revokes=(C.TRAVEL_DOCUMENT, C.EXIT_PERMIT)),
    Trigger.DESTINATION_CHANGED: Effect(
        revokes=(C.SAFETY_OF_RETURN, C.CHILD_BEST_INTERESTS, C.RECEPTION_CONFIRMED),
        cancels=(ReferralKind.RECEPTION,),
        seat=True,
    ),
    Trigger.AREA_CHANGED: Effect(
        revokes=(C.SAFETY_OF_RETURN, C.RECEPTION_CONFIRMED),
        cancels=(ReferralKind.RECEPTION,),
    ),
    Trigger.FLIGHT_CHANGED: Effect(
        revokes=(C.RECEPTION_CONFIRMED, C.ESCORT_ASSIGNED, C.AIRLINE_MEDICAL),
        cancels=(ReferralKind.RECEPTION, ReferralKind.ESCORT),
    ),
    Trigger.DOCUMENT_LOST: Effect(revokes=(C.TRAVEL_DOCUMENT, C.EXIT_PERMIT)),
    Trigger.DOCUMENT_REFUSED: Effect(revokes=(C.TRAVEL_DOCUMENT, C.EXIT_PERMIT)),
    Trigger.PERMIT_REFUSED: Effect(revokes=(C.EXIT_PERMIT,)),
    Trigger.ADVISORY_CHANGED: Effect(revokes=(C.SAFETY_OF_RETURN,), seat_once_frozen=True),
    Trigger.DETAINED: Effect(revokes=(C.CONSENT_RETURN, C.PROTECTION_CLEARANCE, C.RELEASE_AUTHORISATION), seat=True),
}


def revocations(case: Case, trigger: Trigger) -> Iterator[Event]:
    """The permissions a trigger ends, as far as they are in force."""
    for kind in INVALIDATES[trigger].revokes:
        yield from revoke(case, kind, trigger)
