"""Events of the protection stage."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AwareDatetime

from domain.kernel.advisory import Advisory
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.person import Country
from domain.kernel.vocabulary import AdvisoryLevel

# Events


class ReturnAdvisoryChanged(Event):
    TOPIC: ClassVar[str] = "ReturnAdvisoryChanged"
    SENTENCE: ClassVar[str] = "Return advisory for {place:country} changed to '{level}' (version {advisory_version})."

    country: Country
    place: str
    """The country, or the part of it (ISO 3166-2)."""
    level: AdvisoryLevel
    advisory_version: str
    number: int
    """Sequence number of the change among all changes of advisories."""
    since: AwareDatetime

    @property
    def advisory(self) -> Advisory:
        area = None if self.place == self.country else self.place
        return Advisory(self.country, area, self.level, self.advisory_version, self.number, self.since)


class SafetyOfReturnAssessed(Event):
    TOPIC: ClassVar[str] = "SafetyOfReturnAssessed"
    SENTENCE: ClassVar[str] = "Safety of return to {area:country} assessed under advisory {advisory_version}."

    area: str
    advisory_version: str
    individual: bool
    result: Annotated[str | None, Sealed(Compartment.PROT)] = None
    mitigations: Annotated[tuple[str, ...] | None, Sealed(Compartment.PROT)] = None
    advised: str | None = None
    """Mark of the advisory then in force for the place (``Advisory.mark``); ``None`` if there was none."""

    @property
    def evidence(self) -> str:
        """How a clearance that is based on this assessment refers to it."""
        return f"advisory {self.advisory_version}"
