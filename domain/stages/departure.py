"""Departure: a safe, dignified and voluntary journey; voluntary until the aircraft door closes.

Who      movement officers, an interviewer in private, the carrier
Shows    a seat, the frozen manifest, the wish said again, check-in, boarding
Done     the flight has departed with the person on board
Returned seat released, no-show, denied or offloaded, flight cancelled: back to before departure, priority kept
Halts    any failure of the travel gate; any word of not wanting to go
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from domain.case.aggregate import Case, Seat, _seat_on, _waits_for
from domain.casework.seat import _give_up_waiting, release_seat
from domain.clearance.actions import grant, hold, revoke, task
from domain.clearance.protection_concern import heard_in_private
from domain.clearance.return_advisory import mark_of
from domain.clearance.travel_gate import Journey, journey_on, travel_gate
from domain.commands.departure import (
    AllocateFunding,
    BoardPassenger,
    CheckInPassenger,
    DenyBoarding,
    HoldPreDepartureBriefing,
    NominatePassenger,
    OffloadPassenger,
    ReaffirmVoluntaryReturn,
    RecordDepartureInterview,
    RecordNoShow,
    ReleaseSeat,
)
from domain.commands.seat_letters import (
    FlightHasArrived,
    FlightHasDeparted,
    ManifestIsFrozen,
    MovementIsOff,
    SeatUnavailable,
    TakeSeat,
)
from domain.events.case import CaseReopenProposed, NoteAdded, TravelGateEvaluated
from domain.events.departure import (
    BoardingDenied,
    DepartureInterviewHeld,
    FlightArrived,
    FlightDeparted,
    FundingAllocated,
    ManifestFrozen,
    PassengerBoarded,
    PassengerCheckedIn,
    PassengerNominated,
    PassengerNoShow,
    PreDepartureBriefingHeld,
    SeatReleased,
    SeatReserved,
    VoluntaryReturnReaffirmed,
)
from domain.kernel.context import Moment
from domain.kernel.errors import Refused
from domain.kernel.event import Event
from domain.kernel.vocabulary import Checkpoint, ClearanceKind, HoldType, Phase, Stage
from domain.stages.stage import Awaited, StageRules

NOT_THEIR_DOING: Final = frozenset({"DETAINED", "HOSPITALISED"})


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
