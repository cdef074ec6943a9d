"""Events of the post-arrival reception stage."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AwareDatetime

from domain.case.aggregate import Case
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.vocabulary import Phase

# Facts, in the order they usually happen


class ArrivalConfirmed(Event):
    TOPIC: ClassVar[str] = "ArrivalConfirmed"
    SENTENCE: ClassVar[str] = "Arrival confirmed at {arrived_at}."

    arrived_at: AwareDatetime

    def apply_to(self, case: Case) -> None:
        case.phase = Phase.POST_ARRIVAL


class ReturneeMet(Event):
    TOPIC: ClassVar[str] = "ReturneeMet"
    SENTENCE: ClassVar[str] = "Met on arrival by {met_by}."

    met_by: str


class ReceptionNotMet(Event):
    TOPIC: ClassVar[str] = "ReceptionNotMet"
    SENTENCE: ClassVar[str] = "Nobody was met on arrival ({cause})."

    cause: Annotated[str | None, Sealed(Compartment.GEN)] = None


class ImmediateAssistanceProvided(Event):
    TOPIC: ClassVar[str] = "ImmediateAssistanceProvided"
    SENTENCE: ClassVar[str] = "Immediate assistance given: {items}."

    items: tuple[str, ...]
    cash_eur: int = 0


class TemporaryAccommodationProvided(Event):
    TOPIC: ClassVar[str] = "TemporaryAccommodationProvided"
    SENTENCE: ClassVar[str] = "Accommodation for {nights} nights."

    nights: int


class OnwardTransportProvided(Event):
    TOPIC: ClassVar[str] = "OnwardTransportProvided"
    SENTENCE: ClassVar[str] = "Onward transport by {mode}."

    mode: str


class ReceptionCompleted(Event):
    TOPIC: ClassVar[str] = "ReceptionCompleted"
    SENTENCE: ClassVar[str] = "Reception completed: {outcome}."

    outcome: str
