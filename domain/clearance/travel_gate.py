"""The travel gate: may this person pass this checkpoint for this movement?

It returns every failure, not only the first (rule GATE.CHECKPOINTS). In doubt the answer is no.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.case.aggregate import Case, Clearance, Seat
from domain.clearance.nationality import nationality_confirmed
from domain.clearance.return_advisory import outdated
from domain.clearance.voluntariness import still_stands
from domain.events.departure import VoluntaryReturnReaffirmed
from domain.kernel.advisory import Advisory
from domain.kernel.holds import BLOCKED_BY
from domain.kernel.policy import InForce
from domain.kernel.vocabulary import DETAINED, Checkpoint, ClearanceKind, ClearanceStatus
from domain.kernel.working_time import LIBYA


@dataclass(frozen=True)
class Journey:
    """The movement against which clearances are checked.

    Scheduled departure and arrival (UTC), and country if known.
    """

    std: datetime
    sta: datetime
    country: str | None = None


def journey_on(seat: Seat, at: datetime | None = None) -> Journey:
    """Returns the journey of a seat. A flight that is late leaves at ``at`` (UTC) at the earliest."""
    late = max(at - seat.std, timedelta()) if at else timedelta()
    return Journey(seat.std + late, seat.sta + late, seat.country)


ALWAYS: Final = frozenset(Checkpoint)

FROM_FREEZE: Final = frozenset({Checkpoint.FREEZE, Checkpoint.CHECK_IN, Checkpoint.BOARD})

AT_THE_AIRPORT: Final = frozenset({Checkpoint.CHECK_IN, Checkpoint.BOARD})

REQUIRED_AT: Final[Mapping[ClearanceKind, frozenset[Checkpoint]]] = {
    ClearanceKind.CONSENT_RETURN: ALWAYS,
    ClearanceKind.PROTECTION_CLEARANCE: ALWAYS,
    ClearanceKind.SAFETY_OF_RETURN: ALWAYS,
    ClearanceKind.MEDICAL_ASSESSMENT: ALWAYS,
    ClearanceKind.FUNDING_ALLOCATED: ALWAYS,
    ClearanceKind.TRAVEL_DOCUMENT: FROM_FREEZE,
    ClearanceKind.EXIT_PERMIT: FROM_FREEZE,
    ClearanceKind.RECEPTION_CONFIRMED: FROM_FREEZE,
    ClearanceKind.FIT_TO_TRAVEL: AT_THE_AIRPORT,
    ClearanceKind.RELEASE_AUTHORISATION: FROM_FREEZE,
    ClearanceKind.CHILD_BEST_INTERESTS: ALWAYS,
}


def travel_gate(
    case: Case, checkpoint: Checkpoint, journey: Journey, policy: InForce, advisories: Sequence[Advisory]
) -> tuple[str, ...]:
    """Returns every reason why the person may not pass a checkpoint for a journey; empty if they may.

    ``advisories`` are those in force today, whether or not the case has been notified of them.
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
    """The movement must go to the country that the person declared."""
    if journey.country is not None and journey.country != case.country_of_return:
        yield "GATE.DESTINATION.OTHER_COUNTRY"


def _clearances(case: Case, checkpoint: Checkpoint, journey: Journey, policy: InForce) -> Iterator[str]:
    for kind, checkpoints in REQUIRED_AT.items():
        if checkpoint in checkpoints and _is_required(case, kind, journey):
            failure = _failure(case.clearances.get(kind), journey, policy)
            if failure:
                yield f"GATE.{kind}.{failure}"


def _is_required(case: Case, kind: ClearanceKind, journey: Journey) -> bool:
    if kind is ClearanceKind.RELEASE_AUTHORISATION:
        return case.living_situation in DETAINED
    if kind is ClearanceKind.CHILD_BEST_INTERESTS:
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
    """A clearance may end exactly at departure; a travel document must be valid for a margin after arrival."""
    if clearance.valid_until is None:
        return None
    if clearance.kind is ClearanceKind.TRAVEL_DOCUMENT:
        needed = LIBYA.after(journey.sta, policy.document_margin)
        return "EXPIRES_BEFORE_ARRIVAL" if clearance.valid_until < needed else None
    return "EXPIRES_BEFORE_STD" if clearance.valid_until < journey.std else None


def _advised(case: Case, advisories: Sequence[Advisory]) -> Iterator[str]:
    """INV-11: a safety assessment made under an earlier advisory is not valid."""
    if outdated(case, advisories):
        yield "GATE.SAFETY_OF_RETURN.ADVISORY_CHANGED"


def _begun(case: Case, checkpoint: Checkpoint) -> Iterator[str]:
    """At nomination, nationality must be confirmed; the documents themselves are checked later."""
    if checkpoint is Checkpoint.NOMINATE and not nationality_confirmed(case):
        yield "GATE.TRAVEL_DOCUMENT.NATIONALITY_NOT_CONFIRMED"


def _own_word(case: Case, checkpoint: Checkpoint, journey: Journey, policy: InForce) -> Iterator[str]:
    """INV-01: the person must reaffirm voluntary return shortly before departure.

    A reaffirmation counts from when it was made, not from when it was entered, and only after the latest doubt.
    """
    if checkpoint not in AT_THE_AIRPORT:
        return
    oldest = LIBYA.before(journey.std, policy.reaffirmation)
    said = [word for word in case.every(VoluntaryReturnReaffirmed) if word.when >= oldest]
    if not said:
        yield "GATE.REAFFIRMATION.MISSING"
    elif not any(still_stands(case, word, word.when) for word in said):
        yield "GATE.REAFFIRMATION.WITHDRAWN"


def _doubts(case: Case, checkpoint: Checkpoint) -> Iterator[str]:
    """A quarantined signal or message blocks travel from its receipt.

    See rules GATE.SIGNAL.IN_DOUBT, GATE.MESSAGE.IN_DOUBT.
    """
    if checkpoint is Checkpoint.NOMINATE:
        return
    if any(referral.disputed for referral in case.referrals.values()):
        yield "GATE.SIGNAL.IN_DOUBT"
    if case.doubts:
        yield "GATE.MESSAGE.IN_DOUBT"
