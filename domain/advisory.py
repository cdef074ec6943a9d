"""What is advised about returning to a country or a part of it, and which word of it counts for a person.

Advisories are set by the protection unit and change while people wait (domain.md 8.3). What was assessed under one that
no longer counts clears no way (domain.md 00, 25): the gate looks by itself, and every case is told besides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from domain.words import AdvisoryLevel

AREA: Final = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")
"""A part of a country (ISO 3166-2). A place that is written otherwise may lie anywhere in it."""
STRICTNESS: Final = (AdvisoryLevel.OPEN, AdvisoryLevel.CAUTION_INDIVIDUAL_ASSESSMENT, AdvisoryLevel.NO_RETURN)


@dataclass(frozen=True, slots=True)
class Advisory:
    """What is advised about a country (ISO 3166-1, alpha-3) or a part of it, by which version, since when (UTC)."""

    country: str
    area: str | None
    level: AdvisoryLevel
    version: str
    since: datetime

    @property
    def place(self) -> str:
        return self.area or self.country

    def concerns(self, country: str, area: str | None) -> bool:
        """Whether somebody who returns there is meant; in doubt about the place, they are."""
        if self.country != country:
            return False
        return self.area in (None, area) or area is None or not AREA.fullmatch(area)


class Assessed(Protocol):
    """A safety of return as it was assessed."""

    @property
    def area(self) -> str: ...
    @property
    def advisory_version(self) -> str: ...
    @property
    def individual(self) -> bool: ...


def in_force(advisories: Iterable[Advisory], country: str, area: str | None) -> Advisory | None:
    """The strictest that concerns this place, the newest among equals; ``None`` where nothing is advised."""
    found = [each for each in advisories if each.concerns(country, area)]
    return max(found, key=lambda each: (STRICTNESS.index(each.level), each.since), default=None)


def with_change(advisories: Sequence[Advisory], changed: Advisory) -> list[Advisory]:
    """What is advised once a change is known; one that is older than what is known of that place changes nothing."""
    about = (changed.country, changed.area)
    known = [each for each in advisories if (each.country, each.area) == about]
    others = [each for each in advisories if (each.country, each.area) != about]
    return [*others, max([*known, changed], key=lambda each: each.since)]


def still_counts(assessed: Assessed | None, advisory: Advisory | None) -> bool:
    """Whether a safety that was assessed counts today.

    It lasts as long as its advisory's version. One that looked at this very person outlives a return to ``OPEN``.
    """
    if advisory is None:
        return True
    if assessed is None:
        return False
    opened = advisory.level is AdvisoryLevel.OPEN and assessed.individual
    return opened or assessed.advisory_version == advisory.version
