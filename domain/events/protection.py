"""Events of the protection stage."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AwareDatetime

from domain.kernel.advisory import Advisory
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.person import Country
from domain.kernel.vocabulary import AdvisoryLevel

# Facts


class ReturnAdvisoryChanged(Event):
    TOPIC: ClassVar[str] = "ReturnAdvisoryChanged"
    SENTENCE: ClassVar[str] = "The return advisory for {place} changed to {level} ({advisory_version})."

    country: Country
    place: str
    """The country, or the part of it (ISO 3166-2)."""
    level: AdvisoryLevel
    advisory_version: str
    number: int
    """Its place among all changes of advisories."""
    since: AwareDatetime

    @property
    def advisory(self) -> Advisory:
        area = None if self.place == self.country else self.place
        return Advisory(self.country, area, self.level, self.advisory_version, self.number, self.since)


class SafetyOfReturnAssessed(Event):
    TOPIC: ClassVar[str] = "SafetyOfReturnAssessed"
    SENTENCE: ClassVar[str] = "Safety of return to {area} assessed under advisory {advisory_version}."

    area: str
    advisory_version: str
    individual: bool
    result: Annotated[str | None, Sealed(Compartment.PROT)] = None
    mitigations: Annotated[tuple[str, ...] | None, Sealed(Compartment.PROT)] = None
    advised: str | None = None
    """The mark of what was advised about the place at that moment; nothing where nothing was (``Advisory.mark``)."""

    @property
    def evidence(self) -> str:
        """How a clearance that rests on it names it."""
        return f"advisory {self.advisory_version}"
