"""Post-arrival reception: the person is met, receives immediate assistance, and travels on to the destination.

Who      the reception partner in the country of return
Shows    before the flight, that the partner will receive the person; after it, that it did
Done     arrival confirmed, the person met or reception declined, reception completed
Returned the partner cannot receive the person: another partner is requested before the flight
Halts    the person was not met: staff seek contact, and the case stays open
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.clearance.actions import grant, task
from domain.commands.reception import (
    CompleteReception,
    ConfirmArrival,
    ProvideAccommodation,
    ProvideImmediateAssistance,
    ProvideOnwardTransport,
    RecordReception,
)
from domain.events.departure import FlightArrived
from domain.events.partner_report import PartnerReport
from domain.events.reception import (
    ArrivalConfirmed,
    ImmediateAssistanceProvided,
    OnwardTransportProvided,
    ReceptionCompleted,
    ReceptionNotMet,
    ReturneeMet,
    TemporaryAccommodationProvided,
)
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.labels import label
from domain.kernel.vocabulary import ClearanceKind, Phase, ReferralKind, SignalType, Stage
from domain.kernel.working_time import LIBYA
from domain.referral.outcomes import OUTCOMES
from domain.referral.requests import refer, should_request
from domain.stages.stage import Requirement, StageRules

CONFIRMED: Final = OUTCOMES[ReferralKind.RECEPTION].promises | {None}
"""Outcomes that confirm reception: acceptance without an outcome, and "received" before the flight, which a partner
without a separate outcome for acceptance uses."""


# Handlers


def on_reception_acceptance(_case: Case, referral: Referral, report: PartnerReport, ctx: Context) -> Iterator[Event]:
    """Grants the clearance that the travel gate requires; the reception itself is reported after arrival."""
    if report.outcome in CONFIRMED:
        yield grant(ClearanceKind.RECEPTION_CONFIRMED, ctx, evidence=str(referral.referral_id))


def on_reception_answer(_case: Case, referral: Referral, report: PartnerReport, ctx: Context) -> Iterator[Event]:
    """Applies a report after the flight; before it, completion counts as acceptance (rule RECEPTION.PROMISE)."""
    if report.outcome == "NOT_ARRIVED":
        within = ctx.policy.pinned.withdrawal_contact
        yield task("find out where the person is", "RECEPTION_OFFICER", within, ctx, subject=str(referral.referral_id))


def confirm_arrival(case: Case, command: ConfirmArrival, ctx: Context) -> Iterator[Event]:
    if case.phase is not Phase.TRANSIT:
        raise Rejected("ARRIVAL.NOT_IN_TRANSIT", f"arrival can be confirmed only in transit; {_phase(case)}")
    yield ArrivalConfirmed(arrived_at=command.arrived_at or ctx.at)


def record_reception(case: Case, command: RecordReception, ctx: Context) -> Iterator[Event]:
    _require_arrival(case)
    if command.met:
        yield ReturneeMet(met_by=command.met_by or ctx.actor)
        return
    yield ReceptionNotMet(cause=command.cause or "UNKNOWN")
    yield task("contact the person who was not met", "RECEPTION_OFFICER", ctx.policy.pinned.withdrawal_contact, ctx)


def _require_arrival(case: Case) -> None:
    if case.phase is not Phase.POST_ARRIVAL:
        raise Rejected("RECEPTION.NOT_ARRIVED", f"arrival is not confirmed; {_phase(case)}; confirm the arrival first")


def _phase(case: Case) -> str:
    return f"the phase of the case is '{label(case.phase) if case.phase else 'not registered'}'"


def provide_immediate_assistance(case: Case, command: ProvideImmediateAssistance, ctx: Context) -> Iterator[Event]:
    """Records assistance as a fact, also before departure (INV-12); cash above the ceiling creates a task."""
    yield ImmediateAssistanceProvided(items=command.items, cash_eur=command.cash_eur)
    paid = sum(given.cash_eur for given in case.every(ImmediateAssistanceProvided))
    if paid > case.policy.pinned.immediate_cash_eur:
        yield task(
            f"check cash of {paid} EUR against the ceiling",
            "PROGRAMME_MANAGER",
            ctx.policy.pinned.quarantine_review,
            ctx,
        )


def provide_accommodation(_case: Case, command: ProvideAccommodation, _ctx: Context) -> Iterator[Event]:
    yield TemporaryAccommodationProvided(nights=command.nights)


def provide_onward_transport(case: Case, command: ProvideOnwardTransport, _ctx: Context) -> Iterator[Event]:
    _require_arrival(case)
    yield OnwardTransportProvided(mode=command.mode)


def complete_reception(case: Case, command: CompleteReception, _ctx: Context) -> Iterator[Event]:
    _require_arrival(case)
    if command.outcome != "DECLINED" and not case.has(ReturneeMet):
        raise Rejected(
            "RECEPTION.NOT_MET",
            "the person was not met; record the meeting, or that the person declined reception",
            field="outcome",
        )
    yield ReceptionCompleted(outcome=command.outcome)


# Stage rules


def may_open(case: Case, ctx: Context) -> str | None:
    """Preparation starts two weeks before the flight; at the latest, reception opens when the flight has departed."""
    if case.departed:
        return None
    if case.seat is None:
        return "NO_SEAT"
    return None if ctx.at >= _preparation(case.seat.std, ctx) else "TOO_EARLY"


def _preparation(std: datetime, ctx: Context) -> datetime:
    return LIBYA.before(std, ctx.policy.in_force.reception_opens)


def wake_times(case: Case, ctx: Context) -> Iterator[datetime]:
    if case.seat is not None and not case.departed:
        yield _preparation(case.seat.std, ctx)


def follow_up(case: Case, ctx: Context) -> Iterator[Event]:
    """Creates a reception referral for each flight: one cancelled with a seat is created again for the next."""
    seat = case.seat
    if seat is None or case.departed:
        return
    for_this_flight = [found for found in case.referrals_of(ReferralKind.RECEPTION) if found.since >= seat.since]
    if not for_this_flight or should_request(case, ClearanceKind.RECEPTION_CONFIRMED, ReferralKind.RECEPTION, ctx):
        yield from refer(case, ReferralKind.RECEPTION, ctx)


def missing(case: Case, _ctx: Context) -> list[Requirement]:
    since = case.stages[Stage.RECEPTION].since
    if case.phase is not Phase.POST_ARRIVAL:
        code = "MOVEMENT.ARRIVAL" if not case.has(FlightArrived) else "RECEPTION.ARRIVAL"
        return [Requirement(code, "RECEPTION_OFFICER", "RECEPTION.STEPS", since)]
    if case.has(ReceptionCompleted):
        return []
    met = case.has(ReturneeMet)
    return [
        Requirement("RECEPTION.COMPLETE" if met else "RECEPTION.MEET", "RECEPTION_OFFICER", "RECEPTION.STEPS", since)
    ]


RECEPTION = StageRules(
    stage=Stage.RECEPTION,
    title="Post-arrival reception",
    may_open=may_open,
    follow_up=follow_up,
    missing=missing,
    wake_times=wake_times,
    rules={
        ConfirmArrival: confirm_arrival,
        RecordReception: record_reception,
        ProvideImmediateAssistance: provide_immediate_assistance,
        ProvideAccommodation: provide_accommodation,
        ProvideOnwardTransport: provide_onward_transport,
        CompleteReception: complete_reception,
    },
    without_open_stage=frozenset({ConfirmArrival, ProvideImmediateAssistance}),
    answers={
        (ReferralKind.RECEPTION, SignalType.ACCEPTED): on_reception_acceptance,
        (ReferralKind.RECEPTION, SignalType.COMPLETED): on_reception_answer,
    },
)
