"""Events of the departure stage, in the order in which they usually happen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

from pydantic import AwareDatetime

from domain.case.aggregate import BEFORE_DEPARTURE, ENDED, Case, Seat, seat_on, set_seat_status, waits_for_seat_on
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.person import Country
from domain.kernel.vocabulary import Phase, StageStatus

# Events, in their usual order


class FundingAllocated(Event):
    TOPIC: ClassVar[str] = "FundingAllocated"
    SENTENCE: ClassVar[str] = "Funding allocated until {until}."

    until: AwareDatetime
    project: Annotated[str | None, Sealed(Compartment.FIN)] = None


class PassengerNominated(Event):
    TOPIC: ClassVar[str] = "PassengerNominated"
    SENTENCE: ClassVar[str] = "Nominated for flight {movement}."

    movement_id: UUID
    movement: str

    def apply_to(self, case: Case) -> None:
        case.nomination = (self.movement_id, self.movement)


class SeatReserved(Event):
    TOPIC: ClassVar[str] = "SeatReserved"
    SENTENCE: ClassVar[str] = "Seat reserved on flight {movement} to {destination}, departing {std}."

    movement_id: UUID
    movement: str
    std: AwareDatetime
    sta: AwareDatetime
    destination: str
    country: Country | None = None

    def apply_to(self, case: Case) -> None:
        flight = (self.movement_id, self.movement, self.std, self.sta, self.destination, self.country)
        case.seat = Seat(*flight, since=self.timestamp, version=self.originator_version)
        case.nomination = None


class SeatReleased(Event):
    TOPIC: ClassVar[str] = "SeatReleased"
    SENTENCE: ClassVar[str] = "Seat on flight {movement} released (cause: {cause:words})."

    movement_id: UUID
    movement: str
    cause: str

    def apply_to(self, case: Case) -> None:
        if waits_for_seat_on(case, self.movement_id):
            case.nomination = None
        if seat_on(case, self.movement_id) is None:
            return  # the movement held a seat that the case never took
        case.seat = None
        if self.cause == "MOVEMENT_CANCELLED":
            case.displaced += 1
        if case.phase is Phase.DEPARTURE:
            case.phase = Phase.PRE_DEPARTURE


class ManifestFrozen(Event):
    TOPIC: ClassVar[str] = "ManifestFrozen"
    SENTENCE: ClassVar[str] = "Manifest of flight {movement} frozen; the person is on it."

    movement_id: UUID
    movement: str

    def apply_to(self, case: Case) -> None:
        case.phase = Phase.DEPARTURE
        if case.seat is not None:
            case.seat.frozen, case.seat.status = True, "CONFIRMED"


class PreDepartureBriefingHeld(Event):
    TOPIC: ClassVar[str] = "PreDepartureBriefingHeld"
    SENTENCE: ClassVar[str] = "Pre-departure briefing held in {language:language}."

    language: str


class VoluntaryReturnReaffirmed(Event):
    TOPIC: ClassVar[str] = "VoluntaryReturnReaffirmed"
    SENTENCE: ClassVar[str] = "Voluntary return reaffirmed {method}, {checkpoint}."

    method: str
    checkpoint: str
    said_at: AwareDatetime | None = None
    """When the person reaffirmed (UTC), if that was before it was recorded."""

    @property
    def when(self) -> datetime:
        return self.said_at or self.timestamp

    def sentence_values(self) -> dict[str, Any]:
        return {
            **self.facts,
            "method": METHODS.get(self.method, self.method),
            "checkpoint": REAFFIRMED_AT.get(self.checkpoint, self.checkpoint),
        }


METHODS: Final[Mapping[str, str]] = {"IN_PRIVATE": "in private", "VERBAL": "verbally", "WRITTEN": "in writing"}

REAFFIRMED_AT: Final[Mapping[str, str]] = {"BEFORE_CHECK_IN": "before check-in", "GATE": "at the gate"}


class DepartureInterviewHeld(Event):
    TOPIC: ClassVar[str] = "DepartureInterviewHeld"
    SENTENCE: ClassVar[str] = "Departure interview held (in private: {in_private})."

    in_private: bool
    feedback: Annotated[str | None, Sealed(Compartment.CONS)] = None
    fear: Annotated[str | None, Sealed(Compartment.ASYL)] = None


class PassengerCheckedIn(Event):
    TOPIC: ClassVar[str] = "PassengerCheckedIn"
    SENTENCE: ClassVar[str] = "Checked in for flight {movement}."

    movement: str

    def apply_to(self, case: Case) -> None:
        set_seat_status(case, "CHECKED_IN")


class PassengerBoarded(Event):
    TOPIC: ClassVar[str] = "PassengerBoarded"
    SENTENCE: ClassVar[str] = "Boarded flight {movement}."

    movement: str

    def apply_to(self, case: Case) -> None:
        set_seat_status(case, "BOARDED")


class BoardingDenied(Event):
    TOPIC: ClassVar[str] = "BoardingDenied"
    SENTENCE: ClassVar[str] = "Boarding denied by {by} (cause: {cause:words})."

    by: str
    cause: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def sentence_values(self) -> dict[str, Any]:
        return {**self.facts, "by": DENIED_BY.get(self.by, self.by)}


DENIED_BY: Final[Mapping[str, str]] = {"CARRIER": "the carrier", "AUTHORITY": "the authorities", "IOM": "IOM"}


class PassengerNoShow(Event):
    TOPIC: ClassVar[str] = "PassengerNoShow"
    SENTENCE: ClassVar[str] = "No-show at the airport (cause: {cause:words})."

    their_doing: bool
    """Whether it counts as a no-show of the person; it does not for a person in hospital or in detention."""
    cause: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def apply_to(self, case: Case) -> None:
        case.no_shows += self.their_doing


class PassengerOffloaded(Event):
    TOPIC: ClassVar[str] = "PassengerOffloaded"
    SENTENCE: ClassVar[str] = "Offloaded from flight {movement} (cause: {cause:words})."

    movement: str
    cause: str


class FlightDeparted(Event):
    """A reported fact: recorded even if rules were not met. ``breaches`` lists the requirements that were not met."""

    TOPIC: ClassVar[str] = "FlightDeparted"
    SENTENCE: ClassVar[str] = "Flight {movement} departed at {atd} with the person on board."

    movement_id: UUID
    movement: str
    atd: AwareDatetime
    breaches: tuple[str, ...] = ()

    def apply_to(self, case: Case) -> None:
        if case.closed:
            return
        case.phase = Phase.TRANSIT
        for stage in BEFORE_DEPARTURE:
            if (
                case.stages[stage].status not in ENDED
            ):  # even after a departure against the rules, the stages before departure have ended
                case.stages[stage].status, case.stages[stage].since = StageStatus.ABANDONED, self.timestamp


class FlightArrived(Event):
    TOPIC: ClassVar[str] = "FlightArrived"
    SENTENCE: ClassVar[str] = "Flight {movement} arrived at {destination} at {ata}."

    movement_id: UUID
    movement: str
    ata: AwareDatetime
    destination: str
