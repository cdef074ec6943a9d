"""Medical clearance: the person is examined, treated where needed, and found fit to travel before the flight.

Who      a clinic of the programme; an IOM doctor or nurse before departure
Shows    the outcome of an examination; later, fitness to travel within the last 72 hours before departure
Done     the assessment is in force, and fitness to travel has not expired
Returned the clinic needs more information, or the person missed the appointment
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
from domain.kernel.sentences import date_and_time
from domain.kernel.vocabulary import ClearanceKind, ClearanceStatus, HoldType, Phase, ReferralKind, SignalType, Stage
from domain.kernel.working_time import LIBYA
from domain.referral.outcomes import parse_payload
from domain.referral.payloads import Examination
from domain.referral.requests import refer, should_request
from domain.stages.stage import Requirement, StageRules

CLEARED: Final = frozenset({"NO_SIGNIFICANT_CONDITION", "SIGNIFICANT_CONDITION_STABLE"})

HELD: Final = frozenset({"TREATMENT_REQUIRED", "UNFIT_TEMPORARY", "UNFIT_LONG_TERM"})


# Handlers


def on_medical_assessment(case: Case, referral: Referral, report: PartnerReport, ctx: Context) -> Iterator[Event]:
    """Applies the clinic's outcome. An adverse outcome takes effect on receipt, a favourable one never earlier."""
    if report.outcome in CLEARED:
        found: Examination = parse_payload(ReferralKind.MEDICAL_ASSESSMENT, report.visible_answer.get("payload"))
        yield from grant_on_answer(
            ClearanceKind.MEDICAL_ASSESSMENT,
            ctx,
            since=min(found.examined_at or report.counts_from, report.counts_from),
            until=found.valid_until,
            referral_id=referral.referral_id,
            queue="MEDICAL_OFFICER",
        )
    elif report.outcome in HELD:
        yield from revoke(case, ClearanceKind.MEDICAL_ASSESSMENT, "REASSESSED")  # the decider places the medical hold
    else:
        yield task("follow up with the person", "MEDICAL_OFFICER", ctx.policy.pinned.withdrawal_contact, ctx)


def issue_fit_to_travel(case: Case, command: IssueFitToTravel, ctx: Context) -> Iterator[Event]:
    """Accepted only within the window before departure; valid for 72 hours from the examination."""
    issued = command.issued_at or ctx.said_at
    fit = command.result in ("FIT", "FIT_WITH_CONDITIONS")
    if fit:
        _require_window(case, _require_seat(case), issued, ctx)
    yield FitToTravelAssessed(issued_at=issued, result=command.result, conditions=command.conditions)
    if fit:
        yield grant(ClearanceKind.FIT_TO_TRAVEL, ctx, since=issued, evidence="pre-embarkation check")
    else:
        yield from revoke(case, ClearanceKind.FIT_TO_TRAVEL, "REASSESSED")
        yield hold(HoldType.MEDICAL, ctx)


def _require_seat(case: Case) -> Seat:
    if case.seat is None:
        raise Rejected(
            "FTT.NO_SEAT",
            "fitness to travel is assessed for a flight, and the person has no seat; reserve a seat first",
        )
    return case.seat


def _require_window(case: Case, seat: Seat, issued: datetime, ctx: Context) -> None:
    """Requires the examination to be within the window before departure (rule FTT.WINDOW).

    The first examination must leave time to act on it; a further one may be held until departure.
    """
    opens = LIBYA.before(seat.std, ctx.policy.in_force.fit_to_travel_from)
    closes = LIBYA.before(seat.std, ctx.policy.in_force.fit_to_travel_until)
    if _was_examined_for(case, seat):
        closes = max(seat.std, ctx.at)
    if not opens <= issued <= closes:
        raise Rejected(
            "FTT.WINDOW",
            f"the examination was on {date_and_time(issued)}; for this departure it must be "
            f"between {date_and_time(opens)} and {date_and_time(closes)}",
            field="issued_at",
        )


def _was_examined_for(case: Case, seat: Seat) -> bool:
    """Returns whether the person was already examined for this flight, and has not departed."""
    examined = case.latest(FitToTravelAssessed)
    return examined is not None and examined.originator_version > seat.version and not case.departed


# Stage rules


def may_open(case: Case, _ctx: Context) -> str | None:
    return None if case.phase in (Phase.PRE_DEPARTURE, Phase.DEPARTURE) else "PHASE"


def follow_up(case: Case, ctx: Context) -> Iterator[Event]:
    """Refers the person to a clinic when no assessment is in force or pending. A medical hold is lifted by staff."""
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
    answers={(ReferralKind.MEDICAL_ASSESSMENT, SignalType.COMPLETED): on_medical_assessment},
)
