"""Protection: whether, when and how it is safe for this person to return; the case is held until it is.

Who      protection officers; protection partners where there is a need
Shows    a protection clearance, and that the place of return is safe
Done     both are in force
Returned a partner could not help: another one is asked
Halts    any concern for the person's safety holds the journey until a protection officer decides
"""

from __future__ import annotations

from collections.abc import Iterator

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.clearance.actions import grant, hold, revoke, soon, task
from domain.clearance.return_advisory import advised, outdated, place_of, with_change
from domain.commands.protection import AssessSafetyOfReturn, ReassessSafety
from domain.events.partner_report import PartnerReport
from domain.events.protection import ReturnAdvisoryChanged, SafetyOfReturnAssessed
from domain.events.screening import VulnerabilityAssessed
from domain.kernel.advisory import Advisory
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.vocabulary import (
    AdvisoryLevel,
    ClearanceKind,
    ClearanceStatus,
    HoldType,
    Phase,
    ReferralKind,
    RiskLevel,
    SignalType,
    Stage,
)
from domain.referral.requests import refer
from domain.stages.stage import Requirement, StageRules

NEEDED = (ClearanceKind.PROTECTION_CLEARANCE, ClearanceKind.SAFETY_OF_RETURN)


# Rules


def reassess_safety(case: Case, order: ReassessSafety, ctx: Context) -> Iterator[Event]:
    """A safety that was assessed under another advisory is none any more (rule SAFETY.OUTDATED)."""
    if case.phase is Phase.POST_ARRIVAL:
        raise Rejected("SAFETY.ARRIVED", "the person has arrived; raise a protection concern instead")
    changed = Advisory(order.country, order.area, order.level, order.advisory_version, order.number, order.since)
    today = outdated(case, with_change(ctx.directory.advisories, changed))
    if today is None or not changed.concerns(case.country_of_return, place_of(case)):
        raise Rejected("SAFETY.NOT_CONCERNED", f"{changed.version} ends nothing that this person was cleared by")
    yield ReturnAdvisoryChanged(
        country=changed.country,
        place=changed.place,
        level=changed.level,
        advisory_version=changed.version,
        number=changed.number,
        since=changed.since,
    )
    if today.level is not AdvisoryLevel.OPEN and not case.departed:
        yield hold(HoldType.SAFETY, ctx)
    what = "look at the onward journey" if case.departed else "assess the safety of return anew"
    yield task(what, "PROTECTION_OFFICER", soon(case, ctx), ctx, subject=changed.version)


def assess_safety_of_return(case: Case, report: AssessSafetyOfReturn, ctx: Context) -> Iterator[Event]:
    """The place and the way there are judged, not the nationality; the advisory's version is kept (INV-11)."""
    safe = report.result in ("SAFE", "SAFE_WITH_MITIGATION")
    today = advised(case, ctx.directory.advisories, report.area)
    if safe and today is not None:
        _insist_on_today(report, today)
    assessed = SafetyOfReturnAssessed(
        area=report.area,
        advisory_version=report.advisory_version,
        individual=report.individual,
        result=report.result,
        mitigations=report.mitigations,
        advised=today.mark if today else None,
    )
    yield assessed
    if safe:
        yield grant(ClearanceKind.SAFETY_OF_RETURN, ctx, evidence=assessed.evidence)
    else:
        yield from revoke(case, ClearanceKind.SAFETY_OF_RETURN, "REASSESSED")


def _insist_on_today(report: AssessSafetyOfReturn, today: Advisory) -> None:
    """Nothing is safe by the advisory of yesterday, nor by a look at the country where the person must be looked at."""
    said = f"{today.version} ({today.level}) is in force for {today.place}"
    if today.level is AdvisoryLevel.NO_RETURN:
        raise Rejected("SAFETY.NO_RETURN", f"{said}: nobody returns there; another place may be assessed", field="area")
    if report.advisory_version != today.version:
        raise Rejected("SAFETY.ADVISORY", f"{said}, not {report.advisory_version}", field="advisory_version")
    if today.level is not AdvisoryLevel.OPEN and not report.individual:
        raise Rejected("SAFETY.INDIVIDUAL", f"{said}: this person must be assessed individually", field="individual")


def assisted(_case: Case, referral: Referral, _told: PartnerReport, ctx: Context) -> Iterator[Event]:
    """A partner has helped; whether that clears the way is an officer's decision, never a partner's."""
    within = ctx.policy.pinned.withdrawal_contact
    yield task("decide on protection clearance", "PROTECTION_OFFICER", within, ctx, subject=str(referral.referral_id))


# The stage


def may_open(case: Case, _ctx: Context) -> str | None:
    return None if case.phase in (Phase.PRE_DEPARTURE, Phase.DEPARTURE) else "PHASE"


def opening(case: Case, ctx: Context) -> Iterator[Event]:
    """Low risk, nothing indicated and nothing that holds: cleared at once. Otherwise a protection partner is asked."""
    assessed = case.latest(VulnerabilityAssessed)
    if _at_ease(assessed) and not case.holds_of(HoldType.PROTECTION):
        if not case.has_clearance(ClearanceKind.PROTECTION_CLEARANCE, ctx.at):
            yield grant(ClearanceKind.PROTECTION_CLEARANCE, ctx, evidence="low risk, no indicators")
        return
    high = assessed is not None and assessed.risk_level is RiskLevel.HIGH
    yield from refer(case, ReferralKind.PROTECTION_ASSISTANCE, ctx, urgent=high)


def _at_ease(assessed: VulnerabilityAssessed | None) -> bool:
    return assessed is not None and assessed.risk_level is RiskLevel.LOW and assessed.nothing_indicated


def missing(case: Case, ctx: Context) -> list[Requirement]:
    officer, since = "PROTECTION_OFFICER", case.stages[Stage.PROTECTION].since
    missing = [
        Requirement(f"STAFF.{kind}", officer, "PROTECTION.CLEARANCES", since)
        for kind in NEEDED
        if not case.has_clearance(kind, ctx.at)
    ]
    if not missing and (today := outdated(case, ctx.directory.advisories)):
        changed = ReturnAdvisoryChanged.TOPIC
        missing.append(
            Requirement(
                f"STAFF.{ClearanceKind.SAFETY_OF_RETURN}", officer, "SAFETY.OUTDATED", today.since, after=changed
            )
        )
    return missing


def reopens(case: Case, ctx: Context) -> str | None:
    ended = [kind for kind in NEEDED if case.clearances[kind].status is not ClearanceStatus.VALID]
    if not ended and outdated(case, ctx.directory.advisories):
        return ClearanceKind.SAFETY_OF_RETURN
    return ended[0] if ended else None


PROTECTION = StageRules(
    stage=Stage.PROTECTION,
    title="Protection",
    may_open=may_open,
    opening=opening,
    missing=missing,
    reopens=reopens,
    rules={AssessSafetyOfReturn: assess_safety_of_return, ReassessSafety: reassess_safety},
    without_open_stage=frozenset({ReassessSafety}),
    answers={(ReferralKind.PROTECTION_ASSISTANCE, SignalType.COMPLETED): assisted},
)
