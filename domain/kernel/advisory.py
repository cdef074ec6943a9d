"""A return advisory: what the protection unit advises about a country or a part of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.kernel.places import part_of
from domain.kernel.vocabulary import AdvisoryLevel


@dataclass(frozen=True, slots=True)
class Advisory:
    """The advice for a country (ISO 3166-1 alpha-3) or a part of it: its level, its version, and since when (UTC).

    ``number`` is its position among all changes; it decides which of two is newer, not the clock.
    """

    country: str
    area: str | None
    level: AdvisoryLevel
    version: str
    number: int
    since: datetime

    @property
    def place(self) -> str:
        return self.area or self.country

    @property
    def mark(self) -> str:
        """Identifies what an assessment rests on.

        One version may advise differently on a country and on a part of it.
        """
        return f"{self.place} {self.version} {self.level}"

    def concerns(self, country: str, place: str | None) -> bool:
        """Returns whether the advisory applies to a return to that place; if the place is unclear, it applies."""
        return self.country == country and self.area in (None, part_of(country, place) or self.area)
