"""A return advisory: what the protection unit advises about a country or a part of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.kernel.places import part_of
from domain.kernel.vocabulary import AdvisoryLevel


@dataclass(frozen=True, slots=True)
class Advisory:
    """What is advised about a country (ISO 3166-1, alpha-3) or a part of it, by which version, since when (UTC).

    ``number`` is its place among all changes, whatever the clock says.
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
        """All that an assessment rests on: a version may say one thing about a country and another about its part."""
        return f"{self.place} {self.version} {self.level}"

    def concerns(self, country: str, place: str | None) -> bool:
        """Whether somebody who returns there is meant; in doubt about the place, they are."""
        return self.country == country and self.area in (None, part_of(country, place) or self.area)
