"""Events of the departure stage, in the order in which they usually happen."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from domain.case.aggregate import BEFORE_DEPARTURE, ENDED, Case, Seat, _seat_is, _seat_on, _waits_for
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.person import Country
from domain.kernel.vocabulary import Phase, StageStatus

# Facts, in the order they usually happen


class FundingAllocated(Event):
    TOPIC: ClassVar[str] = "FundingAllocated"
    SENTENCE: ClassVar[str] = "Funding allocated until {until}."

    until: AwareDatetime
    project: Annotated[str | None, Sealed(Compartment.FIN)] = None


class PassengerNominated(Event):
    TOPIC: ClassVar[str] = "PassengerNominated"
    SENTENCE: ClassVar[str] = "Nominated for {movement}."

    movement_id: UUID
    movement: str

    def apply_to(self, case: Case) -> None:
        case.nomination = (self.movement_id, self.movement)


class SeatReserved(Event):
    TOPIC: ClassVar[str] = "SeatReserved"
    SENTENCE: ClassVar[str] = "Seat reserved on {movement} to {destination}, departing {std}."

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
    SENTENCE: ClassVar[str] = "Seat on {movement} released: {cause}."

    movement_id: UUID
    movement: str
    cause: str

    def apply_to(self, case: Case) -> None:
        if _waits_for(case, self.movement_id):
            case.nomination = None
        if _seat_on(case, self.movement_id) is None:
            return  # a place that was held for them and never taken
        case.seat = None
        if self.cause == "MOVEMENT_CANCELLED":
            case.displaced += 1
        if case.phase is Phase.DEPARTURE:
            case.phase = Phase.PRE_DEPARTURE


class ManifestFrozen(Event):
    TOPIC: ClassVar[str] = "ManifestFrozen"
    SENTENCE: ClassVar[str] = "The manifest of {movement} was frozen with this person on it."

    movement_id: UUID
    movement: str

    def apply_to(self, case: Case) -> None:
        case.phase = Phase.DEPARTURE
        if case.seat is not None:
            case.seat.frozen, case.seat.status = True, "CONFIRMED"


class PreDepartureBriefingHeld(Event):
    TOPIC: ClassVar[str] = "PreDepartureBriefingHeld"
    SENTENCE: ClassVar[str] = "Briefed before departure in {language}."

    language: str


class VoluntaryReturnReaffirmed(Event):
    TOPIC: ClassVar[str] = "VoluntaryReturnReaffirmed"
    SENTENCE: ClassVar[str] = "Said again, {method} at {checkpoint}, that they want to return."

    method: str
    checkpoint: str
    said_at: AwareDatetime | None = None
    """When it was said, if that was before it was recorded."""

    @property
    def when(self) -> datetime:
        return self.said_at or self.timestamp


class DepartureInterviewHeld(Event):
    TOPIC: ClassVar[str] = "DepartureInterviewHeld"
    SENTENCE: ClassVar[str] = "Departure interview held, in private: {in_private}."

    in_private: bool
    feedback: Annotated[str | None, Sealed(Compartment.CONS)] = None
    fear: Annotated[str | None, Sealed(Compartment.ASYL)] = None


class PassengerCheckedIn(Event):
    TOPIC: ClassVar[str] = "PassengerCheckedIn"
    SENTENCE: ClassVar[str] = "Checked in for {movement}."

    movement: str

    def apply_to(self, case: Case) -> None:
        _seat_is(case, "CHECKED_IN")


class PassengerBoarded(Event):
    TOPIC: ClassVar[str] = "PassengerBoarded"
    SENTENCE: ClassVar[str] = "Boarded {movement}."

    movement: str

    def apply_to(self, case: Case) -> None:
        _seat_is(case, "BOARDED")


class BoardingDenied(Event):
    TOPIC: ClassVar[str] = "BoardingDenied"
    SENTENCE: ClassVar[str] = "Boarding denied by {by}: {cause}."

    by: str
    cause: Annotated[str | None, Sealed(Compartment.GEN)] = None


class PassengerNoShow(Event):
    TOPIC: ClassVar[str] = "PassengerNoShow"
    SENTENCE: ClassVar[str] = "Did not come to the airport ({cause})."

    their_doing: bool
    """Whether it counts against keeping the appointment; a person in hospital or detained missed nothing."""
    cause: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def apply_to(self, case: Case) -> None:
        case.no_shows += self.their_doing


class PassengerOffloaded(Event):
    TOPIC: ClassVar[str] = "PassengerOffloaded"
    SENTENCE: ClassVar[str] = "Taken off {movement}: {cause}."

    movement: str
    cause: str


class FlightDeparted(Event):
    """A report, recorded whatever the rules would have said; what was missing stands beside it."""

    TOPIC: ClassVar[str] = "FlightDeparted"
    SENTENCE: ClassVar[str] = "{movement} departed at {atd} with this person on board."

    movement_id: UUID
    movement: str
    atd: AwareDatetime
    breaches: tuple[str, ...] = ()

    def apply_to(self, case: Case) -> None:
        if case.closed:
            return
        case.phase = Phase.TRANSIT
        for stage in BEFORE_DEPARTURE:
            if case.stages[stage].status not in ENDED:  # flown against the rules: what came before is over all the same
                case.stages[stage].status, case.stages[stage].since = StageStatus.ABANDONED, self.timestamp


class FlightArrived(Event):
    TOPIC: ClassVar[str] = "FlightArrived"
    SENTENCE: ClassVar[str] = "{movement} arrived at {destination} at {ata}."

    movement_id: UUID
    movement: str
    ata: AwareDatetime
    destination: str
