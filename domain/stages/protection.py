"""Protection: whether, when and how it is safe for the person to return.

Who      protection officers; protection partners where there is a need
Shows    a protection clearance, and an assessment that the place of return is safe
Done     both clearances are in force
Returned a partner could not assist: the referral goes to another partner
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
from domain.kernel.labels import label
from domain.kernel.sentences import place_name
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


# Handlers


def reassess_safety(case: Case, command: ReassessSafety, ctx: Context) -> Iterator[Event]:
    """Ends a safety clearance that was granted under an earlier return advisory (rule SAFETY.OUTDATED)."""
    if case.phase is Phase.POST_ARRIVAL:
        raise Rejected("SAFETY.ARRIVED", "the person has already arrived; raise a protection concern instead")
    changed = Advisory(
        command.country, command.area, command.level, command.advisory_version, command.number, command.since
    )
    today = outdated(case, with_change(ctx.directory.advisories, changed))
    if today is None or not changed.concerns(case.country_of_return, place_of(case)):
        raise Rejected(
            "SAFETY.NOT_CONCERNED", f"advisory {changed.version} does not affect the safety clearance of this case"
        )
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


def assess_safety_of_return(case: Case, command: AssessSafetyOfReturn, ctx: Context) -> Iterator[Event]:
    """The place and the route are assessed, not the nationality; the advisory's version is recorded (INV-11)."""
    safe = command.result in ("SAFE", "SAFE_WITH_MITIGATION")
    today = advised(case, ctx.directory.advisories, command.area)
    if safe and today is not None:
        _require_current_advisory(command, today)
    assessed = SafetyOfReturnAssessed(
        area=command.area,
        advisory_version=command.advisory_version,
        individual=command.individual,
        result=command.result,
        mitigations=command.mitigations,
        advised=today.mark if today else None,
    )
    yield assessed
    if safe:
        yield grant(ClearanceKind.SAFETY_OF_RETURN, ctx, evidence=assessed.evidence)
    else:
        yield from revoke(case, ClearanceKind.SAFETY_OF_RETURN, "REASSESSED")


def _require_current_advisory(command: AssessSafetyOfReturn, today: Advisory) -> None:
    """A place is safe only under the advisory now in force, and by an individual assessment where it requires one."""
    current = f"advisory {today.version} ({label(today.level)}) is in force for {place_name(today.place)}"
    if today.level is AdvisoryLevel.NO_RETURN:
        raise Rejected("SAFETY.NO_RETURN", f"{current}; assess another place of return", field="area")
    if command.advisory_version != today.version:
        detail = f"{current}, not {command.advisory_version}; assess under the advisory in force"
        raise Rejected("SAFETY.ADVISORY", detail, field="advisory_version")
    if today.level is not AdvisoryLevel.OPEN and not command.individual:
        raise Rejected("SAFETY.INDIVIDUAL", f"{current}; assess this person individually", field="individual")


def on_protection_assistance(_case: Case, referral: Referral, _report: PartnerReport, ctx: Context) -> Iterator[Event]:
    """Creates a task when a partner has assisted: an officer, never a partner, decides on protection clearance."""
    within = ctx.policy.pinned.withdrawal_contact
    yield task("decide on protection clearance", "PROTECTION_OFFICER", within, ctx, subject=str(referral.referral_id))


# Stage rules


def may_open(case: Case, _ctx: Context) -> str | None:
    return None if case.phase in (Phase.PRE_DEPARTURE, Phase.DEPARTURE) else "PHASE"


def opening(case: Case, ctx: Context) -> Iterator[Event]:
    """Grants clearance at low risk without indicators or a protection hold; otherwise refers to a partner."""
    assessed = case.latest(VulnerabilityAssessed)
    if _is_low_risk(assessed) and not case.holds_of(HoldType.PROTECTION):
        if not case.has_clearance(ClearanceKind.PROTECTION_CLEARANCE, ctx.at):
            yield grant(ClearanceKind.PROTECTION_CLEARANCE, ctx, evidence="low risk, no indicators")
        return
    high = assessed is not None and assessed.risk_level is RiskLevel.HIGH
    yield from refer(case, ReferralKind.PROTECTION_ASSISTANCE, ctx, urgent=high)


def _is_low_risk(assessed: VulnerabilityAssessed | None) -> bool:
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
    answers={(ReferralKind.PROTECTION_ASSISTANCE, SignalType.COMPLETED): on_protection_assistance},
)
