"""Medical: the person is examined, treated where needed, and found fit to travel just before the flight.

Who      a clinic of the programme; an IOM doctor or nurse before departure
Shows    the outcome of an examination; later, fitness inside the last 72 hours before departure
Done     the assessment is in force, and fitness to travel has not lapsed
Returned the clinic needs more, or the person did not come
Halts    treatment is required or the person is unfit: a medical hold until a medical officer lifts it
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from domain.case.aggregate import Case, Seat
from domain.case.referral import Referral
from domain.clearance.actions import grant, grant_on_answer, hold, revoke, task
from domain.commands.medical import IssueFitToTravel
from domain.events.medical import FitToTravelAssessed
from domain.events.partner_report import PartnerReport
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.vocabulary import ClearanceKind, ClearanceStatus, HoldType, Phase, ReferralKind, SignalType, Stage
from domain.kernel.working_time import LIBYA
from domain.referral.outcomes import parse_payload
from domain.referral.payloads import Examination
from domain.referral.requests import refer, should_request
from domain.stages.stage import Requirement, StageRules

CLEARED: Final = frozenset({"NO_SIGNIFICANT_CONDITION", "SIGNIFICANT_CONDITION_STABLE"})

HELD: Final = frozenset({"TREATMENT_REQUIRED", "UNFIT_TEMPORARY", "UNFIT_LONG_TERM"})


# Rules


def examined(case: Case, referral: Referral, told: PartnerReport, ctx: Context) -> Iterator[Event]:
    """What the clinic's outcome means. A worse answer takes effect on receipt, a better one never before."""
    if told.outcome in CLEARED:
        found: Examination = parse_payload(ReferralKind.MEDICAL_ASSESSMENT, told.told.get("payload"))
        yield from grant_on_answer(
            ClearanceKind.MEDICAL_ASSESSMENT,
            ctx,
            since=min(found.examined_at or told.counts_from, told.counts_from),
            until=found.valid_until,
            referral_id=referral.referral_id,
            queue="MEDICAL_OFFICER",
        )
    elif told.outcome in HELD:
        yield from revoke(case, ClearanceKind.MEDICAL_ASSESSMENT, "REASSESSED")  # and its outcome holds by itself
    else:
        yield task("follow up with the person", "MEDICAL_OFFICER", ctx.policy.pinned.withdrawal_contact, ctx)


def issue_fit_to_travel(case: Case, report: IssueFitToTravel, ctx: Context) -> Iterator[Event]:
    """Only inside the window before departure; valid until 72 hours after the look, and never past it."""
    issued = report.issued_at or ctx.said_at
    good = report.result in ("FIT", "FIT_WITH_CONDITIONS")
    if good:
        _insist_on_window(case, _insist_on_seat(case), issued, ctx)
    yield FitToTravelAssessed(issued_at=issued, result=report.result, conditions=report.conditions)
    if good:
        yield grant(ClearanceKind.FIT_TO_TRAVEL, ctx, since=issued, evidence="pre-embarkation check")
    else:
        yield from revoke(case, ClearanceKind.FIT_TO_TRAVEL, "REASSESSED")
        yield hold(HoldType.MEDICAL, ctx)


def _insist_on_seat(case: Case) -> Seat:
    if case.seat is None:
        raise Rejected("FTT.NO_SEAT", "fitness to travel is measured against a flight; the person has no seat yet")
    return case.seat


def _insist_on_window(case: Case, seat: Seat, issued: datetime, ctx: Context) -> None:
    """The first look leaves time to act on it; another one may be taken until the doors close (rule FTT.WINDOW)."""
    opens = LIBYA.before(seat.std, ctx.policy.in_force.fit_to_travel_from)
    closes = LIBYA.before(seat.std, ctx.policy.in_force.fit_to_travel_until)
    if _looked_at_for(case, seat):
        closes = max(seat.std, ctx.at)
    if not opens <= issued <= closes:
        raise Rejected(
            "FTT.WINDOW",
            f"issued {issued:%d %B %Y %H:%M UTC}; for this departure the window runs from {opens:%d %B %Y %H:%M UTC} "
            f"until {closes:%d %B %Y %H:%M UTC}",
            field="issued_at",
        )


def _looked_at_for(case: Case, seat: Seat) -> bool:
    """Whether the person has been looked at for this flight before, and has not left."""
    looked = case.latest(FitToTravelAssessed)
    return looked is not None and looked.originator_version > seat.version and not case.departed


# The stage


def may_open(case: Case, _ctx: Context) -> str | None:
    return None if case.phase in (Phase.PRE_DEPARTURE, Phase.DEPARTURE) else "PHASE"


def follow_up(case: Case, ctx: Context) -> Iterator[Event]:
    """Without an assessment in force and nobody asked for one, the clinic is asked. A hold is for people to end."""
    if case.holds_of(HoldType.MEDICAL):
        return
    if should_request(case, ClearanceKind.MEDICAL_ASSESSMENT, ReferralKind.MEDICAL_ASSESSMENT, ctx):
        yield from refer(case, ReferralKind.MEDICAL_ASSESSMENT, ctx)


def missing(case: Case, ctx: Context) -> list[Requirement]:
    since = case.stages[Stage.MEDICAL].since
    missing = [] if case.has_clearance(ClearanceKind.MEDICAL_ASSESSMENT, ctx.at) else [ClearanceKind.MEDICAL_ASSESSMENT]
    fit = case.clearances.get(ClearanceKind.FIT_TO_TRAVEL)
    if fit is not None and not fit.valid_at(ctx.at) and not case.departed:
        missing.append(ClearanceKind.FIT_TO_TRAVEL)
    return [Requirement(f"CLINIC.{kind}", "clinic", "MEDICAL.CLEARANCES", since) for kind in missing]


def reopens(case: Case, _ctx: Context) -> str | None:
    kinds = (ClearanceKind.MEDICAL_ASSESSMENT, ClearanceKind.FIT_TO_TRAVEL)
    ended = [kind for kind in kinds if (held := case.clearances.get(kind)) and held.status is not ClearanceStatus.VALID]
    return ended[0] if ended else None


MEDICAL = StageRules(
    stage=Stage.MEDICAL,
    title="Medical clearance",
    may_open=may_open,
    follow_up=follow_up,
    missing=missing,
    reopens=reopens,
    rules={IssueFitToTravel: issue_fit_to_travel},
    answers={(ReferralKind.MEDICAL_ASSESSMENT, SignalType.COMPLETED): examined},
)
