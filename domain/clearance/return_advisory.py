"""What is advised about returning to a country or a part of it, and which word of it counts for a person.

Advisories are set by the protection unit and change while people wait (domain.md 8.3). What was assessed under one that
no longer counts clears no way (domain.md 00, 25): the gate looks by itself, and every case is told besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Final, Protocol

from domain.case.aggregate import Case
from domain.events.protection import ReturnAdvisoryChanged, SafetyOfReturnAssessed
from domain.kernel.advisory import Advisory
from domain.kernel.vocabulary import AdvisoryLevel, ClearanceKind, ClearanceStatus

STRICTNESS: Final = (AdvisoryLevel.OPEN, AdvisoryLevel.CAUTION_INDIVIDUAL_ASSESSMENT, AdvisoryLevel.NO_RETURN)


class SafetyAssessment(Protocol):
    """A safety of return as it was assessed."""

    @property
    def area(self) -> str: ...
    @property
    def individual(self) -> bool: ...
    @property
    def advised(self) -> str | None: ...


def in_force(advisories: Iterable[Advisory], country: str, place: str | None) -> Advisory | None:
    """The strictest that concerns this place, the newest among equals; ``None`` where nothing is advised."""
    found = [each for each in advisories if each.concerns(country, place)]
    return max(found, key=lambda each: (STRICTNESS.index(each.level), each.number), default=None)


def with_change(advisories: Sequence[Advisory], changed: Advisory) -> list[Advisory]:
    """What is advised once a change is known; one that is older than what is known of that place changes nothing."""
    known = [each for each in advisories if each.place == changed.place]
    others = [each for each in advisories if each.place != changed.place]
    return [*others, max([*known, changed], key=lambda each: each.number)]


def still_counts(assessed: SafetyAssessment | None, today: Advisory | None) -> bool:
    """Whether a safety that was assessed counts today: it lasts as long as what it was assessed under.

    One that looked at this very person outlives a return to ``OPEN``; where nobody returns to, none counts (INV-11).
    """
    if today is None:
        return True
    if assessed is None or today.level is AdvisoryLevel.NO_RETURN:
        return False
    opened = today.level is AdvisoryLevel.OPEN and assessed.individual
    return opened or assessed.advised == today.mark


# For a case


def advised(case: Case, advisories: Sequence[Advisory], place: str | None) -> Advisory | None:
    """What is advised today about a place where this person would return to.

    ``advisories`` are known to everybody; what the case itself has been told may be newer than a worker's copy of them.
    """
    changes = case.every(ReturnAdvisoryChanged)
    known = reduce(with_change, (change.advisory for change in changes), list(advisories))
    return in_force(known, case.country_of_return, place)


def outdated(case: Case, advisories: Sequence[Advisory]) -> Advisory | None:
    """What is advised today, if a safety of return that is in force rests on anything else."""
    clearance = case.clearances.get(ClearanceKind.SAFETY_OF_RETURN)
    if clearance is None or clearance.status is not ClearanceStatus.VALID:
        return None
    today = advised(case, advisories, place_of(case))
    return None if still_counts(cleared_by(case), today) else today


def mark_of(case: Case, advisories: Sequence[Advisory]) -> str | None:
    """What is advised about where the person was cleared to return to, for whoever asks years later."""
    today = advised(case, advisories, place_of(case))
    return today.mark if today else None


def place_of(case: Case) -> str | None:
    """The place that the clearance was assessed for, if it was."""
    assessed = cleared_by(case)
    return assessed.area if assessed else None


def cleared_by(case: Case) -> SafetyAssessment | None:
    """The assessment that the clearance rests on; an officer may have granted it without one."""
    clearance = case.clearances.get(ClearanceKind.SAFETY_OF_RETURN)
    assessed = case.latest(SafetyOfReturnAssessed)
    return assessed if assessed and clearance and clearance.evidence == assessed.evidence else None
