"""A movement: one flight from plan to landing, with its manifest.

The movement decides who has a seat. Whether a person may board is decided in that person's case, never here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from domain.commands.seat_letters import (
    FlightHasArrived,
    FlightHasDeparted,
    ManifestIsFrozen,
    MovementIsOff,
    SeatUnavailable,
    TakeSeat,
)
from domain.events.departure import PassengerNominated, SeatReleased
from domain.kernel.aggregate import Aggregate
from domain.kernel.context import Context
from domain.kernel.deadline import Deadline
from domain.kernel.errors import Rejected
from domain.kernel.event import NEVER, Compartment, Event, Sealed
from domain.kernel.message import Message, Word
from domain.kernel.person import Country
from domain.kernel.places import COUNTRY_OF
from domain.kernel.policy import NEWEST
from domain.kernel.working_time import LIBYA
from domain.progress import Progress

OPEN: Final = frozenset({"PLANNED", "CONFIRMED"})
"""Statuses in which the manifest is open: seats are given, and a released seat goes to the waiting list."""

Airport = Annotated[str, Field(pattern="^[A-Z]{3}$", description="IATA")]


@dataclass(slots=True)
class Movement(Aggregate):
    """One flight. ``seats`` are the cases with a seat; ``waiting`` is the waiting list, in order."""

    status: str = ""
    origin: str = ""
    destination: str = ""
    country: str | None = None
    std: datetime = NEVER
    sta: datetime = NEVER
    capacity: int = 0
    seats: dict[UUID, str] = field(default_factory=dict)
    waiting: list[UUID] = field(default_factory=list)
    atd: datetime | None = None

    @property
    def over(self) -> bool:
        return self.status in ("ARRIVED", "CANCELLED")


# Events. Topics name the stream they belong to; names are those of the catalogue.


class MovementEvent(Event):
    TOPIC: ClassVar[str] = ""

    @property
    def name(self) -> str:
        return self.TOPIC.removeprefix("Movement/")


class MovementPlanned(MovementEvent):
    TOPIC: ClassVar[str] = "Movement/MovementPlanned"
    SENTENCE: ClassVar[str] = "{number} planned: {origin} to {destination}, departing {std}, {capacity} seats."

    number: str
    kind: str
    origin: Airport
    destination: Airport
    std: AwareDatetime
    sta: AwareDatetime
    capacity: int
    country: Country | None = None
    """Country of the destination."""

    def apply_to(self, movement: Movement) -> None:
        movement.country = self.country
        movement.number, movement.status, movement.capacity = self.number, "PLANNED", self.capacity
        movement.origin, movement.destination = self.origin, self.destination
        movement.std, movement.sta = self.std, self.sta


class MovementConfirmed(MovementEvent):
    TOPIC: ClassVar[str] = "Movement/MovementConfirmed"
    SENTENCE: ClassVar[str] = "Confirmed by the carrier ({carrier})."

    carrier: str

    def apply_to(self, movement: Movement) -> None:
        movement.status = "CONFIRMED"


class MovementSeatReserved(MovementEvent):
    TOPIC: ClassVar[str] = "Movement/SeatReserved"
    SENTENCE: ClassVar[str] = "Seat reserved for case {case_id}."

    case_id: UUID

    def apply_to(self, movement: Movement) -> None:
        movement.seats[self.case_id] = "RESERVED"
        if self.case_id in movement.waiting:
            movement.waiting.remove(self.case_id)


class MovementPassengerWaitlisted(MovementEvent):
    TOPIC: ClassVar[str] = "Movement/PassengerWaitlisted"
    SENTENCE: ClassVar[str] = "No seat left; case {case_id} is on the waiting list."

    case_id: UUID

    def apply_to(self, movement: Movement) -> None:
        movement.waiting.append(self.case_id)


class MovementSeatReleased(MovementEvent):
    TOPIC: ClassVar[str] = "Movement/SeatReleased"
    SENTENCE: ClassVar[str] = "Seat of case {case_id} released."

    case_id: UUID

    def apply_to(self, movement: Movement) -> None:
        movement.seats.pop(self.case_id, None)
        if self.case_id in movement.waiting:
            movement.waiting.remove(self.case_id)


class MovementManifestFrozen(MovementEvent):
    TOPIC: ClassVar[str] = "Movement/ManifestFrozen"
    SENTENCE: ClassVar[str] = "Manifest frozen with {passengers} passengers."

    passengers: int

    def apply_to(self, movement: Movement) -> None:
        movement.status = "FROZEN"


class MovementCancelled(MovementEvent):
    TOPIC: ClassVar[str] = "Movement/MovementCancelled"
    SENTENCE: ClassVar[str] = "Cancelled (cause: {cause:words})."

    passengers: tuple[UUID, ...] = ()
    cause: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def apply_to(self, movement: Movement) -> None:
        movement.status = "CANCELLED"
        movement.seats.clear()
        movement.waiting.clear()


class MovementFlightDeparted(MovementEvent):
    TOPIC: ClassVar[str] = "Movement/FlightDeparted"
    SENTENCE: ClassVar[str] = "Departed at {atd} with {count} on board."

    atd: AwareDatetime
    count: int
    boarded: tuple[UUID, ...]
    left_behind: tuple[UUID, ...] = ()
    breaches: tuple[UUID, ...] = ()

    def apply_to(self, movement: Movement) -> None:
        movement.status, movement.atd = "DEPARTED", self.atd
        movement.seats = dict.fromkeys(self.boarded, "BOARDED")


class MovementFlightArrived(MovementEvent):
    TOPIC: ClassVar[str] = "Movement/FlightArrived"
    SENTENCE: ClassVar[str] = "Arrived at {destination} at {ata}."

    ata: AwareDatetime
    destination: str

    def apply_to(self, movement: Movement) -> None:
        movement.status = "ARRIVED"
        movement.seats = dict.fromkeys(movement.seats, "ARRIVED")


# Commands


class MovementMessage(Message):
    TO: ClassVar[str] = "movement"


class PlanMovement(MovementMessage):
    number: Annotated[str, Field(pattern="^MOV-[0-9]{4}-[A-Z0-9-]{3,40}$")]
    kind: Literal["CHARTER", "COMMERCIAL", "MEDEVAC", "LAND"] = "CHARTER"
    origin: Airport
    destination: Airport
    std: AwareDatetime
    sta: AwareDatetime
    capacity: Annotated[int, Field(ge=1, le=500)]
    country: Country | None = None
    """Country of the destination, if the airport is not known.

    A person with another country of return is not seated.
    """


class ConfirmMovement(MovementMessage):
    carrier: Word


class FreezeManifest(MovementMessage):
    pass


class CancelMovement(MovementMessage):
    cause: Word


class RecordFlightDeparture(MovementMessage):
    """The doors are closed. ``boarded`` lists who is on board as reported by the gate; if omitted, the cases decide."""

    atd: AwareDatetime | None = None
    boarded: tuple[UUID, ...] | None = None


class RecordFlightArrival(MovementMessage):
    ata: AwareDatetime | None = None


class RequestSeat(MovementMessage):
    FROM: ClassVar[str] = "letter"

    case_id: UUID


class GiveUpSeat(MovementMessage):
    FROM: ClassVar[str] = "letter"

    case_id: UUID


# Handlers


def plan_movement(movement: Movement, order: PlanMovement, ctx: Context) -> Iterator[Event]:
    if movement.status:
        raise Rejected("MOVEMENT.EXISTS", f"movement {movement.number} exists already (status {movement.status})")
    if not ctx.at < order.std < order.sta:
        raise Rejected(
            "MOVEMENT.TIMES", f"departure {order.std} must be in the future and before arrival {order.sta}", field="std"
        )
    lies_in = COUNTRY_OF.get(order.destination)
    if order.country and lies_in not in (None, order.country):
        raise Rejected(
            "MOVEMENT.COUNTRY", f"airport {order.destination} is in {lies_in}, not in {order.country}", field="country"
        )
    yield MovementPlanned(**(order.model_dump() | {"country": order.country or lies_in}))


def confirm_movement(movement: Movement, order: ConfirmMovement, _ctx: Context) -> Iterator[Event]:
    _insist(movement, "PLANNED")
    yield MovementConfirmed(carrier=order.carrier)


def request_seat(movement: Movement, letter: RequestSeat, _ctx: Context) -> Iterator[Event]:
    if letter.case_id in movement.seats or letter.case_id in movement.waiting:
        return
    room = len(movement.seats) < movement.capacity and movement.status in OPEN
    yield (MovementSeatReserved if room else MovementPassengerWaitlisted)(case_id=letter.case_id)


def give_up_seat(movement: Movement, letter: GiveUpSeat, _ctx: Context) -> Iterator[Event]:
    """Releases a seat. While the manifest is open it goes to the first on the waiting list."""
    if movement.over or movement.status == "DEPARTED" or letter.case_id not in {*movement.seats, *movement.waiting}:
        return
    yield MovementSeatReleased(case_id=letter.case_id)
    if movement.waiting and movement.status in OPEN:
        yield MovementSeatReserved(case_id=movement.waiting[0])


def freeze_manifest(movement: Movement, _order: FreezeManifest, _ctx: Context) -> Iterator[Event]:
    _insist(movement, "CONFIRMED")
    yield MovementManifestFrozen(passengers=len(movement.seats))


def cancel_movement(movement: Movement, order: CancelMovement, _ctx: Context) -> Iterator[Event]:
    _insist(movement, "PLANNED", "CONFIRMED", "FROZEN")
    yield MovementCancelled(cause=order.cause, passengers=(*movement.seats, *movement.waiting))


def record_flight_departure(movement: Movement, report: RecordFlightDeparture, ctx: Context) -> Iterator[Event]:
    """Records a departure, which is a fact and cannot be rejected for who is on board.

    A passenger on board whose case does not say so is recorded as a breach. Without a list the cases decide who is on
    board; if one of them has an undecided message, the gate must give the list.
    """
    _insist(movement, "CONFIRMED", "FROZEN")
    if report.boarded is None and (unheard := len(ctx.passengers.undecided & set(movement.seats))):
        detail = (
            f"{unheard} passengers' cases have messages that are not decided yet; list who is on board in `boarded`"
        )
        raise Rejected("MOVEMENT.UNHEARD", detail, field="boarded")
    on_board = tuple(report.boarded) if report.boarded is not None else tuple(sorted(ctx.passengers.on_board))
    yield MovementFlightDeparted(
        atd=report.atd or ctx.at,
        count=len(on_board),
        boarded=on_board,
        left_behind=tuple(case_id for case_id in movement.seats if case_id not in on_board),
        breaches=tuple(case_id for case_id in on_board if case_id not in ctx.passengers.on_board),
    )


def record_flight_arrival(movement: Movement, report: RecordFlightArrival, ctx: Context) -> Iterator[Event]:
    _insist(movement, "DEPARTED")
    yield MovementFlightArrived(ata=report.ata or ctx.at, destination=movement.destination)


def _insist(movement: Movement, *statuses: str) -> None:
    if movement.status not in statuses:
        found = movement.status or "not planned"
        raise Rejected("MOVEMENT.STATUS", f"the movement has status {found}; this requires {' or '.join(statuses)}")


RULES: Final[Mapping[type[Message], Callable[[Movement, Any, Context], Iterator[Event]]]] = {
    PlanMovement: plan_movement,
    ConfirmMovement: confirm_movement,
    RequestSeat: request_seat,
    GiveUpSeat: give_up_seat,
    FreezeManifest: freeze_manifest,
    CancelMovement: cancel_movement,
    RecordFlightDeparture: record_flight_departure,
    RecordFlightArrival: record_flight_arrival,
}


def decide(movement: Movement, message: Message, ctx: Context) -> list[Event]:
    """Returns the events that a message causes, already applied. Raises ``Rejected``."""
    rule = RULES.get(type(message))
    if rule is None:
        raise Rejected("MESSAGE.NOT_FOR_A_MOVEMENT", f"{type(message).__name__} does not apply to a movement")
    if not movement.status and not isinstance(message, PlanMovement):
        raise Rejected("MOVEMENT.NOT_PLANNED", "the movement has not been planned")
    return _fold(movement, rule(movement, message, ctx), ctx)


def _fold(movement: Movement, events: Iterator[Event], ctx: Context) -> list[Event]:
    decided = []
    for event in events:
        placed = event.placed_in(movement.id, movement.version + 1, ctx.at)
        placed.mutate(movement)
        decided.append(placed)
    return decided


# Deadline: the freeze


def deadlines(movement: Movement) -> list[Deadline]:
    """Returns the deadline at which the manifest of a confirmed movement is frozen automatically."""
    if movement.status != "CONFIRMED":
        return []
    return [Deadline(LIBYA.before(movement.std, NEWEST.in_force.freeze), "freeze", str(movement.id))]


def decide_lapse(movement: Movement, _deadline: Deadline, ctx: Context) -> list[Event]:
    return _fold(movement, freeze_manifest(movement, FreezeManifest(), ctx), ctx)


def progress_of(movement: Movement, ctx: Context, *, more: bool = False) -> Progress:
    due = min(deadlines(movement), default=None)
    return Progress(
        waiting_on=movement.status,
        wait_s=max(0.0, (due.due - ctx.recorded_at).total_seconds()) if due else None,
        over=movement.over or not movement.status,
        more=more,
        version=movement.version,
    )


# Messages between a movement and its passengers' cases


def letters(stream: Movement, event: Event) -> Iterator[tuple[UUID, Message]]:
    """Returns the messages to passengers' cases that a movement's event causes; they are written with the event."""
    about = {"movement_id": stream.id, "movement": stream.number}
    if isinstance(event, MovementSeatReserved):
        seat = {
            "std": stream.std, "sta": stream.sta, "destination": stream.destination, "country": stream.country,
        }  # fmt: skip
        yield event.case_id, TakeSeat.model_validate({**about, **seat})
    elif isinstance(event, MovementPassengerWaitlisted):
        message = SeatUnavailable if stream.status in OPEN else MovementIsOff
        yield event.case_id, message.model_validate({**about, "cause": "FULL"})
    elif isinstance(event, MovementManifestFrozen):
        yield from ((case_id, ManifestIsFrozen.model_validate(about)) for case_id in stream.seats)
        full = MovementIsOff.model_validate({**about, "cause": "FULL"})
        yield from ((case_id, full) for case_id in stream.waiting)
    elif isinstance(event, MovementCancelled):
        off = MovementIsOff.model_validate({**about, "cause": "MOVEMENT_CANCELLED"})
        yield from ((case_id, off) for case_id in event.passengers)
    elif isinstance(event, MovementFlightDeparted):
        yield from _departed(stream, event)
    elif isinstance(event, MovementFlightArrived):
        landed = FlightHasArrived.model_validate({**about, "ata": event.ata, "destination": stream.destination})
        yield from ((case_id, landed) for case_id in stream.seats)


def _departed(stream: Movement, event: MovementFlightDeparted) -> Iterator[tuple[UUID, Message]]:
    about = {"movement_id": stream.id, "movement": stream.number, "atd": event.atd}
    for case_id in event.boarded:
        breaches = ("NOT_BOARDED_BY_THE_RULES",) if case_id in event.breaches else ()
        yield case_id, FlightHasDeparted.model_validate({**about, "on_board": True, "breaches": breaches})
    for case_id in event.left_behind:
        yield case_id, FlightHasDeparted.model_validate({**about, "on_board": False})


def letters_of_a_case(case_id: UUID, event: Event) -> Iterator[tuple[UUID, Message]]:
    """Returns the messages to a movement that a case's event causes."""
    if isinstance(event, PassengerNominated):
        yield event.movement_id, RequestSeat(case_id=case_id)
    elif isinstance(event, SeatReleased):
        yield event.movement_id, GiveUpSeat(case_id=case_id)
