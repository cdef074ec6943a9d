"""Departure: a safe, dignified and voluntary journey; voluntary until the aircraft door closes.

Who      movement officers, an interviewer in private, the carrier
Shows    a seat, the frozen manifest, voluntary return reaffirmed, check-in, boarding
Done     the flight has departed with the person on board
Returned seat released, no-show, boarding denied, offloaded or flight cancelled: back to before departure, priority kept
Halts    any failure of the travel gate; any statement that the person does not want to return
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from domain.case.aggregate import Case, Seat, seat_on, waits_for_seat_on
from domain.casework.seat import release_nomination, vacate_seat
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
from domain.kernel.labels import words
from domain.kernel.sentences import code_in_words
from domain.kernel.vocabulary import Checkpoint, ClearanceKind, HoldType, Phase, Stage
from domain.stages.stage import Requirement, StageRules

EXCUSED: Final = frozenset({"DETAINED", "HOSPITALISED"})
"""Causes of an absence that do not count as a no-show of the person."""


# Handlers


def allocate_funding(_case: Case, command: AllocateFunding, ctx: Context) -> Iterator[Event]:
    if command.until <= ctx.at:
        raise Rejected(
            "FUNDING.ENDED",
            f"the project ended on {command.until:%d %B %Y}; allocate funding from a current project",
            field="until",
        )
    yield FundingAllocated(until=command.until, project=command.project)
    yield grant(ClearanceKind.FUNDING_ALLOCATED, ctx, until=command.until, evidence="project")


def nominate_passenger(case: Case, command: NominatePassenger, ctx: Context) -> Iterator[Event]:
    if case.seat is not None:
        raise Rejected("SEAT.TAKEN", f"the person already has a seat on {case.seat.movement}; release it first")
    if case.nomination is not None:
        raise Rejected(
            "SEAT.ASKED", f"the person is already nominated for {case.nomination[1]}; release that nomination first"
        )
    _require_gate(case, Checkpoint.NOMINATE, Journey(command.std, command.sta), ctx)
    yield PassengerNominated(movement_id=command.movement_id, movement=command.movement)


def take_seat(case: Case, command: TakeSeat, ctx: Context) -> Iterator[Event]:
    """Accepts a seat that the movement reserved. It is released if no longer needed, or if the gate is not passed."""
    if seat_on(case, command.movement_id):
        return
    if case.closed or case.departed or case.seat is not None or not waits_for_seat_on(case, command.movement_id):
        yield SeatReleased(movement_id=command.movement_id, movement=command.movement, cause="NOT_NEEDED")
        return
    yield SeatReserved(
        movement_id=command.movement_id,
        movement=command.movement,
        std=command.std,
        sta=command.sta,
        destination=command.destination,
        country=command.country,
    )
    journey = Journey(command.std, command.sta, command.country)
    failures = travel_gate(case, Checkpoint.NOMINATE, journey, ctx.policy.in_force, ctx.directory.advisories)
    if failures:
        yield from vacate_seat(case, failures[0], ctx)


def seat_unavailable(case: Case, command: SeatUnavailable, ctx: Context) -> Iterator[Event]:
    """No seat is available; the person stays on the waiting list until one is, or until the nomination is released.

    If the case still records a seat there, it was released and requested again in the meantime; the movement's record
    prevails.
    """
    if seat_on(case, command.movement_id):
        yield from vacate_seat(case, "NOT_HELD", ctx)
    yield _another_flight(command.movement, command.cause, ctx)


def _another_flight(movement: str, cause: str, ctx: Context) -> Event:
    within = ctx.policy.pinned.quarantine_review
    return task(f"find another flight ({cause})", "MOVEMENT_OFFICER", within, ctx, subject=movement)


def release_seat(case: Case, command: ReleaseSeat, ctx: Context) -> Iterator[Event]:
    if case.seat is None and case.nomination is None:
        raise Rejected("SEAT.NONE", "the person has no seat and no nomination; there is nothing to release")
    yield NoteAdded(note=command.cause)
    yield from vacate_seat(case, "STAFF", ctx)


def manifest_is_frozen(case: Case, command: ManifestIsFrozen, ctx: Context) -> Iterator[Event]:
    """Evaluates the travel gate two days before departure; the seat is released if it is not passed."""
    seat = seat_on(case, command.movement_id)
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
        yield ManifestFrozen(movement_id=command.movement_id, movement=command.movement)


def hold_pre_departure_briefing(_case: Case, command: HoldPreDepartureBriefing, _ctx: Context) -> Iterator[Event]:
    yield PreDepartureBriefingHeld(language=command.language)


def reaffirm_voluntary_return(_case: Case, command: ReaffirmVoluntaryReturn, ctx: Context) -> Iterator[Event]:
    yield VoluntaryReturnReaffirmed(method=command.method, checkpoint=command.checkpoint, said_at=ctx.said_at)


def record_departure_interview(case: Case, command: RecordDepartureInterview, ctx: Context) -> Iterator[Event]:
    """Any expression of fear, in any words, holds the journey; publicly it is an ordinary protection hold."""
    yield DepartureInterviewHeld(
        in_private=command.in_private,
        feedback=command.feedback,
        fear=command.account if command.fear_expressed else None,
    )
    yield from record_private_interview(case, ctx, fear=command.fear_expressed, concern=command.concern)
    if not command.voluntary_reaffirmed:
        yield from revoke(case, ClearanceKind.CONSENT_RETURN, "NOT_REAFFIRMED")
        yield hold(HoldType.CONSENT, ctx)


def check_in_passenger(case: Case, _command: CheckInPassenger, ctx: Context) -> Iterator[Event]:
    seat = _require_frozen_seat(case)
    held = case.latest(DepartureInterviewHeld)
    if held is None or not held.in_private or held.originator_version < seat.version:
        raise Rejected(
            "CHECK_IN.INTERVIEW",
            "no departure interview was held in private for this flight; hold it before check-in",
        )
    _require_gate(case, Checkpoint.CHECK_IN, journey_on(seat, ctx.at), ctx)
    yield PassengerCheckedIn(movement=seat.movement)


def board_passenger(case: Case, _command: BoardPassenger, ctx: Context) -> Iterator[Event]:
    """Evaluates the travel gate for the last time; rejected with every reason if it is not passed."""
    seat = _require_frozen_seat(case)
    if seat.status != "CHECKED_IN":
        raise Rejected(
            "BOARD.NOT_CHECKED_IN", f"the status of the seat is '{words(seat.status)}'; check in the person first"
        )
    _require_gate(case, Checkpoint.BOARD, journey_on(seat, ctx.at), ctx)
    yield TravelGateEvaluated(checkpoint=Checkpoint.BOARD, ok=True, advised=mark_of(case, ctx.directory.advisories))
    yield PassengerBoarded(movement=seat.movement)


def _require_frozen_seat(case: Case) -> Seat:
    if case.seat is None:
        raise Rejected("SEAT.NONE", "the person has no seat; nominate the person for a movement first")
    if not case.seat.frozen:
        raise Rejected(
            "SEAT.NOT_FROZEN",
            (f"the manifest of {case.seat.movement} is not frozen with the person on it; freeze the manifest first"),
        )
    return case.seat


def _require_gate(case: Case, checkpoint: Checkpoint, journey: Journey, ctx: Context) -> None:
    failures = travel_gate(case, checkpoint, journey, ctx.policy.in_force, ctx.directory.advisories)
    if failures:
        detail = f"the travel gate is not passed: {'; '.join(map(code_in_words, failures))}"
        raise Rejected(f"GATE.{checkpoint}", detail, failures=failures)


def deny_boarding(case: Case, command: DenyBoarding, ctx: Context) -> Iterator[Event]:
    yield BoardingDenied(by=command.by, cause=command.cause)
    yield from vacate_seat(case, "BOARDING_DENIED", ctx)
    yield task("plan again after boarding was denied", "MOVEMENT_OFFICER", ctx.policy.pinned.escalations["L2"], ctx)


def record_no_show(case: Case, command: RecordNoShow, ctx: Context) -> Iterator[Event]:
    yield PassengerNoShow(their_doing=command.cause not in EXCUSED, cause=command.cause)
    yield from vacate_seat(case, "NO_SHOW", ctx)
    yield task("call the person", "COUNSELLOR", ctx.policy.pinned.withdrawal_contact, ctx)


def offload_passenger(case: Case, command: OffloadPassenger, ctx: Context) -> Iterator[Event]:
    if case.seat is None or case.departed:
        raise Rejected("SEAT.NONE", "the person cannot be offloaded: there is no seat, or the flight has departed")
    yield NoteAdded(note=command.cause)
    yield from vacate_seat(case, "OFFLOADED", ctx)


def movement_is_off(case: Case, command: MovementIsOff, ctx: Context) -> Iterator[Event]:
    if seat_on(case, command.movement_id):
        yield from vacate_seat(case, command.cause, ctx)
    elif waits_for_seat_on(case, command.movement_id):
        yield from release_nomination(case, command.cause)
        yield _another_flight(command.movement, command.cause, ctx)


def flight_has_departed(case: Case, command: FlightHasDeparted, ctx: Context) -> Iterator[Event]:
    """Records a fact either way: the person departed, or was not on board."""
    seat = seat_on(case, command.movement_id)
    if command.on_board:
        boarded = seat is not None and seat.status == "BOARDED"
        breaches = command.breaches or (() if boarded else ("NOT_BOARDED_BY_THE_RULES",))
        yield FlightDeparted(
            movement_id=command.movement_id, movement=command.movement, atd=command.atd, breaches=breaches
        )
        if case.closed and not case.reopen_proposed:
            yield CaseReopenProposed(trigger=f"departure of {command.movement}")
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


def flight_has_arrived(case: Case, command: FlightHasArrived, _ctx: Context) -> Iterator[Event]:
    if case.phase is Phase.TRANSIT:
        yield FlightArrived(
            movement_id=command.movement_id, movement=command.movement, ata=command.ata, destination=command.destination
        )


# Stage rules


def may_open(case: Case, _ctx: Context) -> str | None:
    """A provisional seat may be requested once nationality is confirmed (rule DEPARTURE.OPENS)."""
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
