"""Departure: a safe, dignified and voluntary journey; voluntary until the aircraft door closes.

Who      movement officers, an interviewer in private, the carrier
Shows    a seat, the frozen manifest, the wish said again, check-in, boarding
Done     the flight has departed with the person on board
Returned seat released, no-show, denied or offloaded, flight cancelled: back to before departure, priority kept
Halts    any failure of the travel gate; any word of not wanting to go
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from domain.advisory import mark_of
from domain.asking import cancel
from domain.case import ENDED, Case, Seat
from domain.case_facts import CaseReopenProposed, NoteAdded, TravelGateEvaluated
from domain.event import Compartment, Event, Sealed
from domain.gate import INVALIDATES, Journey, Trigger, journey_on, revocations, travel_gate
from domain.messages import Message, Text, Word
from domain.moment import Moment, Refused
from domain.person import Country
from domain.protecting import heard_in_private
from domain.stage import Awaited, StageRules
from domain.steps import grant, hold, revoke, task
from domain.words import Checkpoint, ClearanceKind, HoldType, Phase, Stage, StageStatus

BEFORE_DEPARTURE: Final = (Stage.SCREENING, Stage.PROTECTION, Stage.MEDICAL, Stage.DOCUMENTS)
ABOARD: Final = frozenset({"CHECKED_IN", "BOARDED"})

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

    def change(self, case: Case) -> None:
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

    def change(self, case: Case) -> None:
        flight = (self.movement_id, self.movement, self.std, self.sta, self.destination, self.country)
        case.seat = Seat(*flight, since=self.timestamp, version=self.originator_version)
        case.nomination = None


class SeatReleased(Event):
    TOPIC: ClassVar[str] = "SeatReleased"
    SENTENCE: ClassVar[str] = "Seat on {movement} released: {cause}."

    movement_id: UUID
    movement: str
    cause: str

    def change(self, case: Case) -> None:
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

    def change(self, case: Case) -> None:
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

    def change(self, case: Case) -> None:
        _seat_is(case, "CHECKED_IN")


class PassengerBoarded(Event):
    TOPIC: ClassVar[str] = "PassengerBoarded"
    SENTENCE: ClassVar[str] = "Boarded {movement}."

    movement: str

    def change(self, case: Case) -> None:
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

    def change(self, case: Case) -> None:
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

    def change(self, case: Case) -> None:
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


NOT_THEIR_DOING: Final = frozenset({"DETAINED", "HOSPITALISED"})


def _seat_is(case: Case, status: str) -> None:
    if case.seat is not None:
        case.seat.status = status


# Messages


class AllocateFunding(Message):
    project: Word
    until: AwareDatetime


class NominatePassenger(Message):
    movement_id: UUID
    movement: Word
    std: AwareDatetime
    sta: AwareDatetime


class ReleaseSeat(Message):
    cause: Word


class HoldPreDepartureBriefing(Message):
    language: Word


class ReaffirmVoluntaryReturn(Message):
    method: Literal["IN_PRIVATE", "VERBAL", "WRITTEN"] = "IN_PRIVATE"
    checkpoint: Literal["BEFORE_CHECK_IN", "GATE"] = "BEFORE_CHECK_IN"


class RecordDepartureInterview(Message):
    in_private: bool
    voluntary_reaffirmed: bool
    fear_expressed: bool = False
    account: Annotated[str, Field(max_length=4000)] | None = None
    feedback: Annotated[str, Field(max_length=4000)] | None = None
    concern: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    """Any other matter of protection that was heard in the interview."""


class CheckInPassenger(Message):
    pass


class BoardPassenger(Message):
    pass


class DenyBoarding(Message):
    by: Literal["CARRIER", "AUTHORITY", "IOM"]
    cause: Word


class RecordNoShow(Message):
    cause: Word = "UNKNOWN"


class OffloadPassenger(Message):
    cause: Word


# Letters from the movement's stream


class TakeSeat(Message):
    FROM: ClassVar[str] = "letter"

    movement_id: UUID
    movement: Word
    std: AwareDatetime
    sta: AwareDatetime
    destination: Word
    country: Country | None = None


class SeatUnavailable(Message):
    FROM: ClassVar[str] = "letter"

    movement_id: UUID
    movement: Word
    cause: Word


class ManifestIsFrozen(Message):
    FROM: ClassVar[str] = "letter"

    movement_id: UUID
    movement: Word


class MovementIsOff(Message):
    FROM: ClassVar[str] = "letter"

    movement_id: UUID
    movement: Word
    cause: Word


class FlightHasDeparted(Message):
    FROM: ClassVar[str] = "letter"

    movement_id: UUID
    movement: Word
    atd: AwareDatetime
    on_board: bool
    breaches: tuple[Text, ...] = ()


class FlightHasArrived(Message):
    FROM: ClassVar[str] = "letter"

    movement_id: UUID
    movement: Word
    ata: AwareDatetime
    destination: Word


# Rules


def allocate_funding(_case: Case, order: AllocateFunding, m: Moment) -> Iterator[Event]:
    if order.until <= m.at:
        raise Refused("FUNDING.ENDED", f"the project ends on {order.until:%d %B %Y}, which has passed", field="until")
    yield FundingAllocated(until=order.until, project=order.project)
    yield grant(ClearanceKind.FUNDING_ALLOCATED, m, until=order.until, evidence="project")


def nominate(case: Case, order: NominatePassenger, m: Moment) -> Iterator[Event]:
    if case.seat is not None:
        raise Refused("SEAT.TAKEN", f"the person already has a seat on {case.seat.movement}; release it first")
    if case.nomination is not None:
        raise Refused("SEAT.ASKED", f"a seat on {case.nomination[1]} was asked for already; release it first")
    _insist(case, Checkpoint.NOMINATE, Journey(order.std, order.sta), m)
    yield PassengerNominated(movement_id=order.movement_id, movement=order.movement)


def take_seat(case: Case, letter: TakeSeat, m: Moment) -> Iterator[Event]:
    """The movement holds a seat. If nobody waits for it any more, or may not take it, it goes back at once."""
    if _seat_on(case, letter.movement_id):
        return
    if case.closed or case.departed or case.seat is not None or not _waits_for(case, letter.movement_id):
        yield SeatReleased(movement_id=letter.movement_id, movement=letter.movement, cause="NOT_NEEDED")
        return
    yield SeatReserved(
        movement_id=letter.movement_id,
        movement=letter.movement,
        std=letter.std,
        sta=letter.sta,
        destination=letter.destination,
        country=letter.country,
    )
    journey = Journey(letter.std, letter.sta, letter.country)
    failures = travel_gate(case, Checkpoint.NOMINATE, journey, m.policy.in_force, m.directory.advisories)
    if failures:
        yield from release_seat(case, failures[0], m)


def _waits_for(case: Case, movement_id: UUID) -> bool:
    """Whether a seat on that movement was asked for, and neither given nor given up since."""
    return case.nomination is not None and case.nomination[0] == movement_id


def no_seat(case: Case, letter: SeatUnavailable, m: Moment) -> Iterator[Event]:
    """No seat now; the person stays on the waiting list until one comes free, or until it is given up.

    Who sits there by the case's own book was given up and asked anew in between: the movement knows better.
    """
    if _seat_on(case, letter.movement_id):
        yield from release_seat(case, "NOT_HELD", m)
    yield _another_flight(letter.movement, letter.cause, m)


def _another_flight(movement: str, cause: str, m: Moment) -> Event:
    within = m.policy.pinned.quarantine_review
    return task(f"find another flight ({cause})", "MOVEMENT_OFFICER", within, m, subject=movement)


def release(case: Case, order: ReleaseSeat, m: Moment) -> Iterator[Event]:
    if case.seat is None and case.nomination is None:
        raise Refused("SEAT.NONE", "the person has no seat and waits for none")
    yield NoteAdded(note=order.cause)
    yield from release_seat(case, "STAFF", m)


def release_seat(case: Case, cause: str, m: Moment) -> Iterator[Event]:
    """Give the seat back, take the person off if aboard, and end what served only this flight."""
    seat = case.seat
    if case.departed:
        return
    if seat is None:
        yield from _give_up_waiting(case, cause)
        return
    if seat.status in ABOARD:
        yield PassengerOffloaded(movement=seat.movement, cause=cause)
    yield SeatReleased(movement_id=seat.movement_id, movement=seat.movement, cause=cause)
    yield from revocations(case, Trigger.FLIGHT_CHANGED)
    yield from end_referrals(case, Trigger.FLIGHT_CHANGED, m)


def _give_up_waiting(case: Case, cause: str) -> Iterator[Event]:
    """Whoever does not want a seat any more does not wait for one either."""
    if case.nomination is not None:
        movement_id, movement = case.nomination
        yield SeatReleased(movement_id=movement_id, movement=movement, cause=cause)


def end_referrals(case: Case, trigger: Trigger, m: Moment) -> Iterator[Event]:
    for referral in list(case.open_referrals()):
        if referral.kind in INVALIDATES[trigger].cancels:
            yield from cancel(case, referral, m)


def freeze(case: Case, letter: ManifestIsFrozen, m: Moment) -> Iterator[Event]:
    """Two days before departure the gate is asked again; who does not pass gives the seat back."""
    seat = _seat_on(case, letter.movement_id)
    if seat is None or case.departed:
        return
    failures = travel_gate(case, Checkpoint.FREEZE, journey_on(seat), m.policy.in_force, m.directory.advisories)
    yield TravelGateEvaluated(
        checkpoint=Checkpoint.FREEZE, ok=not failures, failures=failures, advised=mark_of(case, m.directory.advisories)
    )
    if failures:
        yield from release_seat(case, failures[0], m)
    else:
        yield ManifestFrozen(movement_id=letter.movement_id, movement=letter.movement)


def _seat_on(case: Case, movement_id: UUID) -> Seat | None:
    return case.seat if case.seat is not None and case.seat.movement_id == movement_id else None


def brief(_case: Case, report: HoldPreDepartureBriefing, _m: Moment) -> Iterator[Event]:
    yield PreDepartureBriefingHeld(language=report.language)


def reaffirm(_case: Case, report: ReaffirmVoluntaryReturn, m: Moment) -> Iterator[Event]:
    yield VoluntaryReturnReaffirmed(method=report.method, checkpoint=report.checkpoint, said_at=m.said_at)


def interview(case: Case, report: RecordDepartureInterview, m: Moment) -> Iterator[Event]:
    """Any word of fear holds the journey, with no magic words needed; outside it looks like any protection hold."""
    yield DepartureInterviewHeld(
        in_private=report.in_private,
        feedback=report.feedback,
        fear=report.account if report.fear_expressed else None,
    )
    yield from heard_in_private(case, m, fear=report.fear_expressed, concern=report.concern)
    if not report.voluntary_reaffirmed:
        yield from revoke(case, ClearanceKind.CONSENT_RETURN, "NOT_REAFFIRMED")
        yield hold(HoldType.CONSENT, m)


def check_in(case: Case, _order: CheckInPassenger, m: Moment) -> Iterator[Event]:
    seat = _insist_on_frozen_seat(case)
    held = case.latest(DepartureInterviewHeld)
    if held is None or not held.in_private or held.originator_version < seat.version:
        raise Refused("CHECK_IN.INTERVIEW", "hold the departure interview for this flight, in private, before check-in")
    _insist(case, Checkpoint.CHECK_IN, journey_on(seat, m.at), m)
    yield PassengerCheckedIn(movement=seat.movement)


def board(case: Case, _order: BoardPassenger, m: Moment) -> Iterator[Event]:
    """The last gate. An order: refused with every reason if anything is missing."""
    seat = _insist_on_frozen_seat(case)
    if seat.status != "CHECKED_IN":
        raise Refused("BOARD.NOT_CHECKED_IN", f"the person is {seat.status}; check in first")
    _insist(case, Checkpoint.BOARD, journey_on(seat, m.at), m)
    yield TravelGateEvaluated(checkpoint=Checkpoint.BOARD, ok=True, advised=mark_of(case, m.directory.advisories))
    yield PassengerBoarded(movement=seat.movement)


def _insist_on_frozen_seat(case: Case) -> Seat:
    if case.seat is None:
        raise Refused("SEAT.NONE", "the person has no seat; nominate them for a movement first")
    if not case.seat.frozen:
        raise Refused("SEAT.NOT_FROZEN", f"the manifest of {case.seat.movement} is not frozen with this person on it")
    return case.seat


def _insist(case: Case, checkpoint: Checkpoint, journey: Journey, m: Moment) -> None:
    failures = travel_gate(case, checkpoint, journey, m.policy.in_force, m.directory.advisories)
    if failures:
        raise Refused(f"GATE.{checkpoint}", f"the travel gate is not passed: {', '.join(failures)}", failures=failures)


def deny(case: Case, report: DenyBoarding, m: Moment) -> Iterator[Event]:
    yield BoardingDenied(by=report.by, cause=report.cause)
    yield from release_seat(case, "BOARDING_DENIED", m)
    yield task("plan again after boarding was denied", "MOVEMENT_OFFICER", m.policy.pinned.escalations["L2"], m)


def no_show(case: Case, report: RecordNoShow, m: Moment) -> Iterator[Event]:
    yield PassengerNoShow(their_doing=report.cause not in NOT_THEIR_DOING, cause=report.cause)
    yield from release_seat(case, "NO_SHOW", m)
    yield task("call the person", "COUNSELLOR", m.policy.pinned.withdrawal_contact, m)


def offload(case: Case, report: OffloadPassenger, m: Moment) -> Iterator[Event]:
    if case.seat is None or case.departed:
        raise Refused("SEAT.NONE", "there is nobody to take off: no seat, or the flight has departed")
    yield NoteAdded(note=report.cause)
    yield from release_seat(case, "OFFLOADED", m)


def movement_off(case: Case, letter: MovementIsOff, m: Moment) -> Iterator[Event]:
    if _seat_on(case, letter.movement_id):
        yield from release_seat(case, letter.cause, m)
    elif _waits_for(case, letter.movement_id):
        yield from _give_up_waiting(case, letter.cause)
        yield _another_flight(letter.movement, letter.cause, m)


def departed(case: Case, letter: FlightHasDeparted, m: Moment) -> Iterator[Event]:
    """She is in the air, or was left behind: a fact either way."""
    seat = _seat_on(case, letter.movement_id)
    if letter.on_board:
        by_the_rules = seat is not None and seat.status == "BOARDED"
        breaches = letter.breaches or (() if by_the_rules else ("NOT_BOARDED_BY_THE_RULES",))
        yield FlightDeparted(
            movement_id=letter.movement_id, movement=letter.movement, atd=letter.atd, breaches=breaches
        )
        if case.closed and not case.reopen_proposed:
            yield CaseReopenProposed(trigger=f"departure of {letter.movement}")
        if breaches:
            yield task(
                "look into a departure against the rules", "PROTECTION_OFFICER", m.policy.pinned.late_result_review, m
            )
    elif seat is not None:
        yield PassengerNoShow(their_doing=False, cause="LEFT_BEHIND")
        yield from release_seat(case, "NOT_ON_BOARD", m)


def arrived(case: Case, letter: FlightHasArrived, _m: Moment) -> Iterator[Event]:
    if case.phase is Phase.TRANSIT:
        yield FlightArrived(
            movement_id=letter.movement_id, movement=letter.movement, ata=letter.ata, destination=letter.destination
        )


# The stage


def may_open(case: Case, _m: Moment) -> str | None:
    """A provisional seat may be sought once nationality is confirmed (domain.md 4.1)."""
    if case.phase not in (Phase.PRE_DEPARTURE, Phase.DEPARTURE):
        return "PHASE"
    return None if case.nationality_confirmed else "NATIONALITY_NOT_CONFIRMED"


def lacks(case: Case, m: Moment) -> list[Awaited]:
    since, seat = case.stages[Stage.DEPARTURE].since, case.seat
    if case.departed:
        return []
    if not case.has_clearance(ClearanceKind.CONSENT_RETURN, m.at):
        return [Awaited("PERSON.DECLARATION", "COUNSELLOR", "domain 4.3", since)]
    if not case.has_clearance(ClearanceKind.FUNDING_ALLOCATED, m.at):
        return [Awaited("STAFF.FUNDING", "PROGRAMME_MANAGER", "domain 8.12", since)]
    if seat is None:
        return [Awaited("STAFF.NOMINATION", "MOVEMENT_OFFICER", "domain 7.5", since)]
    if not seat.frozen:
        return [Awaited("MOVEMENT.FREEZE", "MOVEMENT_OFFICER", "domain 7.5", since, seat.std)]
    step = {"CONFIRMED": "CHECK_IN", "CHECKED_IN": "BOARDING"}.get(seat.status, "DEPARTURE")
    return [Awaited(f"MOVEMENT.{step}", "MOVEMENT_OFFICER", "domain 7.5", since, seat.std)]


DEPARTURE = StageRules(
    stage=Stage.DEPARTURE,
    title="Departure",
    may_open=may_open,
    lacks=lacks,
    rules={
        AllocateFunding: allocate_funding,
        NominatePassenger: nominate,
        ReleaseSeat: release,
        HoldPreDepartureBriefing: brief,
        ReaffirmVoluntaryReturn: reaffirm,
        RecordDepartureInterview: interview,
        CheckInPassenger: check_in,
        BoardPassenger: board,
        DenyBoarding: deny,
        RecordNoShow: no_show,
        OffloadPassenger: offload,
        TakeSeat: take_seat,
        SeatUnavailable: no_seat,
        ManifestIsFrozen: freeze,
        MovementIsOff: movement_off,
        FlightHasDeparted: departed,
        FlightHasArrived: arrived,
    },
    anytime=frozenset(
        {
            AllocateFunding,
            TakeSeat,
            SeatUnavailable,
            ManifestIsFrozen,
            MovementIsOff,
            FlightHasDeparted,
            FlightHasArrived,
        }
    ),
)
