"""Which return advisory applies to a person, and whether an assessment of safety is still valid under it.

The protection unit changes advisories while people wait (rule SAFETY.ADVISORY_LEVELS). A safety assessment made under
an advisory that
no longer applies does not clear anyone for travel (rule SAFETY.OUTDATED): the travel gate checks it, and every case is
notified.
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
    """What is needed of a recorded assessment of the safety of return."""

    @property
    def area(self) -> str: ...
    @property
    def individual(self) -> bool: ...
    @property
    def advised(self) -> str | None: ...


def in_force(advisories: Iterable[Advisory], country: str, place: str | None) -> Advisory | None:
    """Returns the strictest advisory for a place, the newest among equals, or ``None``."""
    found = [each for each in advisories if each.concerns(country, place)]
    return max(found, key=lambda each: (STRICTNESS.index(each.level), each.number), default=None)


def with_change(advisories: Sequence[Advisory], changed: Advisory) -> list[Advisory]:
    """Returns the advisories after a change. A change older than the one known for that place is ignored."""
    known = [each for each in advisories if each.place == changed.place]
    others = [each for each in advisories if each.place != changed.place]
    return [*others, max([*known, changed], key=lambda each: each.number)]


def still_counts(assessed: SafetyAssessment | None, today: Advisory | None) -> bool:
    """Returns whether an assessment is valid today: it lasts as long as the advisory it was made under.

    An individual assessment stays valid when the level returns to ``OPEN``; under ``NO_RETURN`` none is (INV-11).
    """
    if today is None:
        return True
    if assessed is None or today.level is AdvisoryLevel.NO_RETURN:
        return False
    opened = today.level is AdvisoryLevel.OPEN and assessed.individual
    return opened or assessed.advised == today.mark


# For one case


def advised(case: Case, advisories: Sequence[Advisory], place: str | None) -> Advisory | None:
    """Returns the advisory that applies to the person's place of return.

    ``advisories`` may be a copy that is some seconds old; changes recorded in the case itself may be newer.
    """
    changes = case.every(ReturnAdvisoryChanged)
    known = reduce(with_change, (change.advisory for change in changes), list(advisories))
    return in_force(known, case.country_of_return, place)


def outdated(case: Case, advisories: Sequence[Advisory]) -> Advisory | None:
    """Returns today's advisory if the safety clearance in force rests on a different one, otherwise ``None``."""
    clearance = case.clearances.get(ClearanceKind.SAFETY_OF_RETURN)
    if clearance is None or clearance.status is not ClearanceStatus.VALID:
        return None
    today = advised(case, advisories, place_of(case))
    return None if still_counts(cleared_by(case), today) else today


def mark_of(case: Case, advisories: Sequence[Advisory]) -> str | None:
    """Returns the identification of the advisory that applies to the cleared place, for the audit trail."""
    today = advised(case, advisories, place_of(case))
    return today.mark if today else None


def place_of(case: Case) -> str | None:
    """Returns the place for which safety was assessed, if it was."""
    assessed = cleared_by(case)
    return assessed.area if assessed else None


def cleared_by(case: Case) -> SafetyAssessment | None:
    """Returns the assessment on which the clearance rests, or ``None`` if an officer granted it without one."""
    clearance = case.clearances.get(ClearanceKind.SAFETY_OF_RETURN)
    assessed = case.latest(SafetyOfReturnAssessed)
    return assessed if assessed and clearance and clearance.evidence == assessed.evidence else None
