"""Events of the post-arrival reception stage."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime

from domain.case.aggregate import Case
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.vocabulary import Phase

# Events, in their usual order


class ArrivalConfirmed(Event):
    TOPIC: ClassVar[str] = "ArrivalConfirmed"
    SENTENCE: ClassVar[str] = "Arrival confirmed at {arrived_at}."

    arrived_at: AwareDatetime

    def apply_to(self, case: Case) -> None:
        case.phase = Phase.POST_ARRIVAL


class ReturneeMet(Event):
    TOPIC: ClassVar[str] = "ReturneeMet"
    SENTENCE: ClassVar[str] = "Met on arrival by {met_by:actor}."

    met_by: str


class ReceptionNotMet(Event):
    TOPIC: ClassVar[str] = "ReceptionNotMet"
    SENTENCE: ClassVar[str] = "Person not met on arrival (cause: {cause:words})."

    cause: Annotated[str | None, Sealed(Compartment.GEN)] = None


class ImmediateAssistanceProvided(Event):
    TOPIC: ClassVar[str] = "ImmediateAssistanceProvided"
    SENTENCE: ClassVar[str] = "Immediate assistance provided: {items:words}{cash}."

    items: tuple[str, ...]
    cash_eur: int = 0

    def sentence_values(self) -> dict[str, Any]:
        return {**self.facts, "cash": f"; cash: {self.cash_eur} EUR" if self.cash_eur else ""}


class TemporaryAccommodationProvided(Event):
    TOPIC: ClassVar[str] = "TemporaryAccommodationProvided"
    SENTENCE: ClassVar[str] = "Temporary accommodation provided; nights: {nights}."

    nights: int


class OnwardTransportProvided(Event):
    TOPIC: ClassVar[str] = "OnwardTransportProvided"
    SENTENCE: ClassVar[str] = "Onward transport provided by {mode:words}."

    mode: str


class ReceptionCompleted(Event):
    TOPIC: ClassVar[str] = "ReceptionCompleted"
    SENTENCE: ClassVar[str] = "Reception completed: {outcome:words}."

    outcome: str
