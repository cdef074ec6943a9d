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
from domain.casework.seat import _give_up_waiting, vacate_seat
from domain.clearance.actions import grant, hold, revoke, task
from domain.clearance.nationality import nationality_confirmed
from domain.clearance.protection_concern import record_private_interview
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
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.vocabulary import Checkpoint, ClearanceKind, HoldType, Phase, Stage
from domain.stages.stage import Requirement, StageRules

NOT_THEIR_DOING: Final = frozenset({"DETAINED", "HOSPITALISED"})


# Rules


def allocate_funding(_case: Case, order: AllocateFunding, ctx: Context) -> Iterator[Event]:
    if order.until <= ctx.at:
        raise Rejected("FUNDING.ENDED", f"the project ends on {order.until:%d %B %Y}, which has passed", field="until")
    yield FundingAllocated(until=order.until, project=order.project)
    yield grant(ClearanceKind.FUNDING_ALLOCATED, ctx, until=order.until, evidence="project")


def nominate_passenger(case: Case, order: NominatePassenger, ctx: Context) -> Iterator[Event]:
    if case.seat is not None:
        raise Rejected("SEAT.TAKEN", f"the person already has a seat on {case.seat.movement}; release it first")
    if case.nomination is not None:
        raise Rejected("SEAT.ASKED", f"a seat on {case.nomination[1]} was asked for already; release it first")
    _insist(case, Checkpoint.NOMINATE, Journey(order.std, order.sta), ctx)
    yield PassengerNominated(movement_id=order.movement_id, movement=order.movement)


def take_seat(case: Case, letter: TakeSeat, ctx: Context) -> Iterator[Event]:
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
    failures = travel_gate(case, Checkpoint.NOMINATE, journey, ctx.policy.in_force, ctx.directory.advisories)
    if failures:
        yield from vacate_seat(case, failures[0], ctx)


def seat_unavailable(case: Case, letter: SeatUnavailable, ctx: Context) -> Iterator[Event]:
    """No seat now; the person stays on the waiting list until one comes free, or until it is given up.

    Who sits there by the case's own book was given up and asked anew in between: the movement knows better.
    """
    if _seat_on(case, letter.movement_id):
        yield from vacate_seat(case, "NOT_HELD", ctx)
    yield _another_flight(letter.movement, letter.cause, ctx)


def _another_flight(movement: str, cause: str, ctx: Context) -> Event:
    within = ctx.policy.pinned.quarantine_review
    return task(f"find another flight ({cause})", "MOVEMENT_OFFICER", within, ctx, subject=movement)


def release_seat(case: Case, order: ReleaseSeat, ctx: Context) -> Iterator[Event]:
    if case.seat is None and case.nomination is None:
        raise Rejected("SEAT.NONE", "the person has no seat and waits for none")
    yield NoteAdded(note=order.cause)
    yield from vacate_seat(case, "STAFF", ctx)


def manifest_is_frozen(case: Case, letter: ManifestIsFrozen, ctx: Context) -> Iterator[Event]:
    """Two days before departure the gate is asked again; who does not pass gives the seat back."""
    seat = _seat_on(case, letter.movement_id)
    if seat is None or case.departed:
        return
    failures = travel_gate(case, Checkpoint.FREEZE, journey_on(seat), ctx.policy.in_force, ctx.directory.advisories)
    yield TravelGateEvaluated(
        checkpoint=Checkpoint.FREEZE,
        ok=not failures,
        failures=failures,
        advised=mark_of(case, ctx.directory.advisories),
    )
    if failures:
        yield from vacate_seat(case, failures[0], ctx)
    else:
        yield ManifestFrozen(movement_id=letter.movement_id, movement=letter.movement)


def hold_pre_departure_briefing(_case: Case, report: HoldPreDepartureBriefing, _ctx: Context) -> Iterator[Event]:
    yield PreDepartureBriefingHeld(language=report.language)


def reaffirm_voluntary_return(_case: Case, report: ReaffirmVoluntaryReturn, ctx: Context) -> Iterator[Event]:
    yield VoluntaryReturnReaffirmed(method=report.method, checkpoint=report.checkpoint, said_at=ctx.said_at)


def record_departure_interview(case: Case, report: RecordDepartureInterview, ctx: Context) -> Iterator[Event]:
    """Any word of fear holds the journey, with no magic words needed; outside it looks like any protection hold."""
    yield DepartureInterviewHeld(
        in_private=report.in_private,
        feedback=report.feedback,
        fear=report.account if report.fear_expressed else None,
    )
    yield from record_private_interview(case, ctx, fear=report.fear_expressed, concern=report.concern)
    if not report.voluntary_reaffirmed:
        yield from revoke(case, ClearanceKind.CONSENT_RETURN, "NOT_REAFFIRMED")
        yield hold(HoldType.CONSENT, ctx)


def check_in_passenger(case: Case, _order: CheckInPassenger, ctx: Context) -> Iterator[Event]:
    seat = _insist_on_frozen_seat(case)
    held = case.latest(DepartureInterviewHeld)
    if held is None or not held.in_private or held.originator_version < seat.version:
        raise Rejected(
            "CHECK_IN.INTERVIEW", "hold the departure interview for this flight, in private, before check-in"
        )
    _insist(case, Checkpoint.CHECK_IN, journey_on(seat, ctx.at), ctx)
    yield PassengerCheckedIn(movement=seat.movement)


def board_passenger(case: Case, _order: BoardPassenger, ctx: Context) -> Iterator[Event]:
    """The last gate. An order: refused with every reason if anything is missing."""
    seat = _insist_on_frozen_seat(case)
    if seat.status != "CHECKED_IN":
        raise Rejected("BOARD.NOT_CHECKED_IN", f"the person is {seat.status}; check in first")
    _insist(case, Checkpoint.BOARD, journey_on(seat, ctx.at), ctx)
    yield TravelGateEvaluated(checkpoint=Checkpoint.BOARD, ok=True, advised=mark_of(case, ctx.directory.advisories))
    yield PassengerBoarded(movement=seat.movement)


def _insist_on_frozen_seat(case: Case) -> Seat:
    if case.seat is None:
        raise Rejected("SEAT.NONE", "the person has no seat; nominate them for a movement first")
    if not case.seat.frozen:
        raise Rejected("SEAT.NOT_FROZEN", f"the manifest of {case.seat.movement} is not frozen with this person on it")
    return case.seat


def _insist(case: Case, checkpoint: Checkpoint, journey: Journey, ctx: Context) -> None:
    failures = travel_gate(case, checkpoint, journey, ctx.policy.in_force, ctx.directory.advisories)
    if failures:
        raise Rejected(f"GATE.{checkpoint}", f"the travel gate is not passed: {', '.join(failures)}", failures=failures)


def deny_boarding(case: Case, report: DenyBoarding, ctx: Context) -> Iterator[Event]:
    yield BoardingDenied(by=report.by, cause=report.cause)
    yield from vacate_seat(case, "BOARDING_DENIED", ctx)
    yield task("plan again after boarding was denied", "MOVEMENT_OFFICER", ctx.policy.pinned.escalations["L2"], ctx)


def record_no_show(case: Case, report: RecordNoShow, ctx: Context) -> Iterator[Event]:
    yield PassengerNoShow(their_doing=report.cause not in NOT_THEIR_DOING, cause=report.cause)
    yield from vacate_seat(case, "NO_SHOW", ctx)
    yield task("call the person", "COUNSELLOR", ctx.policy.pinned.withdrawal_contact, ctx)


def offload_passenger(case: Case, report: OffloadPassenger, ctx: Context) -> Iterator[Event]:
    if case.seat is None or case.departed:
        raise Rejected("SEAT.NONE", "there is nobody to take off: no seat, or the flight has departed")
    yield NoteAdded(note=report.cause)
    yield from vacate_seat(case, "OFFLOADED", ctx)


def movement_is_off(case: Case, letter: MovementIsOff, ctx: Context) -> Iterator[Event]:
    if _seat_on(case, letter.movement_id):
        yield from vacate_seat(case, letter.cause, ctx)
    elif _waits_for(case, letter.movement_id):
        yield from _give_up_waiting(case, letter.cause)
        yield _another_flight(letter.movement, letter.cause, ctx)


def flight_has_departed(case: Case, letter: FlightHasDeparted, ctx: Context) -> Iterator[Event]:
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
                "look into a departure against the rules",
                "PROTECTION_OFFICER",
                ctx.policy.pinned.late_result_review,
                ctx,
            )
    elif seat is not None:
        yield PassengerNoShow(their_doing=False, cause="LEFT_BEHIND")
        yield from vacate_seat(case, "NOT_ON_BOARD", ctx)


def flight_has_arrived(case: Case, letter: FlightHasArrived, _ctx: Context) -> Iterator[Event]:
    if case.phase is Phase.TRANSIT:
        yield FlightArrived(
            movement_id=letter.movement_id, movement=letter.movement, ata=letter.ata, destination=letter.destination
        )


# The stage


def may_open(case: Case, _ctx: Context) -> str | None:
    """A provisional seat may be sought once nationality is confirmed (rule DEPARTURE.OPENS)."""
    if case.phase not in (Phase.PRE_DEPARTURE, Phase.DEPARTURE):
        return "PHASE"
    return None if nationality_confirmed(case) else "NATIONALITY_NOT_CONFIRMED"


def missing(case: Case, ctx: Context) -> list[Requirement]:
    since, seat = case.stages[Stage.DEPARTURE].since, case.seat
    if case.departed:
        return []
    if not case.has_clearance(ClearanceKind.CONSENT_RETURN, ctx.at):
        return [Requirement("PERSON.DECLARATION", "COUNSELLOR", "SCREENING.DECLARATION", since)]
    if not case.has_clearance(ClearanceKind.FUNDING_ALLOCATED, ctx.at):
        return [Requirement("STAFF.FUNDING", "PROGRAMME_MANAGER", "DEPARTURE.FUNDING", since)]
    if seat is None:
        return [Requirement("STAFF.NOMINATION", "MOVEMENT_OFFICER", "DEPARTURE.NOMINATION", since)]
    if not seat.frozen:
        return [Requirement("MOVEMENT.FREEZE", "MOVEMENT_OFFICER", "DEPARTURE.STEPS", since, seat.std)]
    step = {"CONFIRMED": "CHECK_IN", "CHECKED_IN": "BOARDING"}.get(seat.status, "DEPARTURE")
    return [Requirement(f"MOVEMENT.{step}", "MOVEMENT_OFFICER", "DEPARTURE.STEPS", since, seat.std)]


DEPARTURE = StageRules(
    stage=Stage.DEPARTURE,
    title="Departure",
    may_open=may_open,
    missing=missing,
    rules={
        AllocateFunding: allocate_funding,
        NominatePassenger: nominate_passenger,
        ReleaseSeat: release_seat,
        HoldPreDepartureBriefing: hold_pre_departure_briefing,
        ReaffirmVoluntaryReturn: reaffirm_voluntary_return,
        RecordDepartureInterview: record_departure_interview,
        CheckInPassenger: check_in_passenger,
        BoardPassenger: board_passenger,
        DenyBoarding: deny_boarding,
        RecordNoShow: record_no_show,
        OffloadPassenger: offload_passenger,
        TakeSeat: take_seat,
        SeatUnavailable: seat_unavailable,
        ManifestIsFrozen: manifest_is_frozen,
        MovementIsOff: movement_is_off,
        FlightHasDeparted: flight_has_departed,
        FlightHasArrived: flight_has_arrived,
    },
    without_open_stage=frozenset(
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
