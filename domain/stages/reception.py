"""Reception: the person is met, helped at once, and brought to where they want to go.

Who      the reception partner in the country of return
Shows    before the flight, that it will receive the person; after it, that it did
Done     arrival confirmed, the person met or reception declined, reception completed
Returned the partner cannot receive: another one is asked before the flight
Halts    the person was not met: contact is sought, and nothing closes
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
from domain.kernel.vocabulary import ClearanceKind, Phase, ReferralKind, SignalType, Stage
from domain.kernel.working_time import LIBYA
from domain.referral.outcomes import OUTCOMES
from domain.referral.requests import refer, should_request
from domain.stages.stage import Requirement, StageRules

CONFIRMED: Final = OUTCOMES[ReferralKind.RECEPTION].promises | {None}
"""A bare yes is a yes; so is a partner's "received" before the flight, if it can say nothing else."""


# Rules


def accepted(_case: Case, referral: Referral, told: PartnerReport, ctx: Context) -> Iterator[Event]:
    """Accepting is what the travel gate needs; the receiving itself is told after arrival."""
    if told.outcome in CONFIRMED:
        yield grant(ClearanceKind.RECEPTION_CONFIRMED, ctx, evidence=str(referral.referral_id))


def done(_case: Case, referral: Referral, told: PartnerReport, ctx: Context) -> Iterator[Event]:
    """Said after the flight; before it, done was taken as a yes (rule RECEPTION.PROMISE)."""
    if told.outcome == "NOT_ARRIVED":
        within = ctx.policy.pinned.withdrawal_contact
        yield task("find out where the person is", "RECEPTION_OFFICER", within, ctx, subject=str(referral.referral_id))


def confirm_arrival(case: Case, report: ConfirmArrival, ctx: Context) -> Iterator[Event]:
    if case.phase is not Phase.TRANSIT:
        raise Rejected("ARRIVAL.NOT_IN_TRANSIT", f"the person is in phase {case.phase}, not on the way")
    yield ArrivalConfirmed(arrived_at=report.arrived_at or ctx.at)


def record_reception(case: Case, report: RecordReception, ctx: Context) -> Iterator[Event]:
    _insist_on_arrival(case)
    if report.met:
        yield ReturneeMet(met_by=report.met_by or ctx.actor)
        return
    yield ReceptionNotMet(cause=report.cause or "UNKNOWN")
    yield task("contact the person who was not met", "RECEPTION_OFFICER", ctx.policy.pinned.withdrawal_contact, ctx)


def _insist_on_arrival(case: Case) -> None:
    if case.phase is not Phase.POST_ARRIVAL:
        raise Rejected("RECEPTION.NOT_ARRIVED", f"arrival is not confirmed (phase {case.phase}); confirm it first")


def provide_immediate_assistance(case: Case, report: ProvideImmediateAssistance, ctx: Context) -> Iterator[Event]:
    """Help given is a fact, also before departure (INV-12); more cash than the programme gives is shown to a person."""
    yield ImmediateAssistanceProvided(items=report.items, cash_eur=report.cash_eur)
    paid = sum(given.cash_eur for given in case.every(ImmediateAssistanceProvided))
    if paid > case.policy.pinned.immediate_cash_eur:
        yield task(
            f"check cash of {paid} EUR against the ceiling",
            "PROGRAMME_MANAGER",
            ctx.policy.pinned.quarantine_review,
            ctx,
        )


def provide_accommodation(_case: Case, report: ProvideAccommodation, _ctx: Context) -> Iterator[Event]:
    yield TemporaryAccommodationProvided(nights=report.nights)


def provide_onward_transport(case: Case, report: ProvideOnwardTransport, _ctx: Context) -> Iterator[Event]:
    _insist_on_arrival(case)
    yield OnwardTransportProvided(mode=report.mode)


def complete_reception(case: Case, order: CompleteReception, _ctx: Context) -> Iterator[Event]:
    _insist_on_arrival(case)
    if order.outcome != "DECLINED" and not case.has(ReturneeMet):
        raise Rejected("RECEPTION.NOT_MET", "record that the person was met, or that they declined", field="outcome")
    yield ReceptionCompleted(outcome=order.outcome)


# The stage


def may_open(case: Case, ctx: Context) -> str | None:
    """Preparation starts two weeks before the flight; without that, reception opens when the flight has left."""
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
    """Asked for each flight anew: what was cancelled with the last seat is asked again for the next."""
    seat = case.seat
    if seat is None or case.departed:
        return
    for_this_flight = [asked for asked in case.referrals_of(ReferralKind.RECEPTION) if asked.since >= seat.since]
    if not for_this_flight or should_request(case, ClearanceKind.RECEPTION_CONFIRMED, ReferralKind.RECEPTION, ctx):
        yield from refer(case, ReferralKind.RECEPTION, ctx)


def missing(case: Case, _ctx: Context) -> list[Requirement]:
    since = case.stages[Stage.RECEPTION].since
    if case.phase is not Phase.POST_ARRIVAL:
        who = "MOVEMENT.ARRIVAL" if not case.has(FlightArrived) else "RECEPTION.ARRIVAL"
        return [Requirement(who, "RECEPTION_OFFICER", "RECEPTION.STEPS", since)]
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
        (ReferralKind.RECEPTION, SignalType.ACCEPTED): accepted,
        (ReferralKind.RECEPTION, SignalType.COMPLETED): done,
    },
)
