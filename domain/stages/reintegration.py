"""Reintegration: a plan the returnee signs, help in kind, and visits until the new life stands.

Who      the reintegration officer in the country of return, and providers
Shows    counselling, a plan within the ceiling, deliveries, monitoring visits, a closing survey
Done     every item delivered or cancelled, monitored, the endline survey done; completed by the officer
Returned the plan exceeds the ceiling or was not signed
Halts    an open complaint, or the person cannot be reached
"""

from __future__ import annotations

from collections.abc import Iterator

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.clearance.actions import task
from domain.commands.reintegration import (
    ApprovePlan,
    AssessReintegrationNeeds,
    CancelItem,
    CompleteReintegration,
    DraftPlan,
    EnrolReintegration,
    RecordArrivalCounselling,
    RecordDelivery,
    RecordMonitoring,
    RecordRss,
)
from domain.events.partner_report import PartnerReport
from domain.events.reception import ReceptionCompleted
from domain.events.reintegration import (
    ArrivalCounsellingHeld,
    AssistanceItemCancelled,
    AssistanceItemDelivered,
    MonitoringVisitConducted,
    ReintegrationCompleted,
    ReintegrationEnrolled,
    ReintegrationNeedsAssessed,
    ReintegrationPlanApproved,
    ReintegrationPlanDrafted,
    ReintegrationSurveyRecorded,
)
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.vocabulary import Phase, ReferralKind, SignalType, Stage
from domain.referral.requests import refer
from domain.stages.stage import Requirement, StageRules

# Rules


def enrol_reintegration(_case: Case, order: EnrolReintegration, _ctx: Context) -> Iterator[Event]:
    yield ReintegrationEnrolled(office=order.office)


def record_arrival_counselling(_case: Case, _report: RecordArrivalCounselling, _ctx: Context) -> Iterator[Event]:
    yield ArrivalCounsellingHeld()


def assess_reintegration_needs(_case: Case, report: AssessReintegrationNeeds, _ctx: Context) -> Iterator[Event]:
    yield ReintegrationNeedsAssessed(needs=report.needs)


def draft_plan(case: Case, order: DraftPlan, ctx: Context) -> Iterator[Event]:
    if not order.signed_by_returnee:
        raise Rejected(
            "PLAN.UNSIGNED", "the returnee signs the plan before it is submitted", field="signed_by_returnee"
        )
    ids = tuple(item.item_id for item in order.items)
    if len(set(ids)) != len(ids):
        raise Rejected("PLAN.ITEM_TWICE", f"item ids must differ: {', '.join(ids)}", field="items")
    yield ReintegrationPlanDrafted(
        plan_version=len(case.every(ReintegrationPlanDrafted)) + 1,
        total_eur=sum(item.amount_eur for item in order.items),
        drafted_by=ctx.actor,
        item_ids=ids,
        items=order.items,
    )


def approve_plan(case: Case, order: ApprovePlan, ctx: Context) -> Iterator[Event]:
    """Within the ceiling by an officer; above it only with a programme manager's name (rule PLAN.CEILING)."""
    plan = case.latest(ReintegrationPlanDrafted)
    if plan is None:
        raise Rejected("PLAN.NONE", "there is no plan to approve")
    ceiling = case.policy.pinned.reintegration_ceiling_eur
    if plan.total_eur > ceiling and not order.over_ceiling_approved_by:
        raise Rejected(
            "PLAN.CEILING",
            f"the plan is {plan.total_eur} EUR, the ceiling {ceiling} EUR; a programme manager must approve it by name",
            field="over_ceiling_approved_by",
        )
    yield ReintegrationPlanApproved(
        plan_version=plan.plan_version, approved_by=order.over_ceiling_approved_by or ctx.actor
    )
    for item_id in plan.item_ids:
        yield from refer(case, ReferralKind.REINTEGRATION_SERVICE, ctx, item=item_id)


def delivered(case: Case, referral: Referral, told: PartnerReport, ctx: Context) -> Iterator[Event]:
    if told.outcome == "DELIVERED" and referral.item:
        yield from _given(case, referral.item, ctx)
    else:
        within = ctx.policy.pinned.quarantine_review
        yield task("item not delivered in full", "REINTEGRATION_OFFICER", within, ctx, subject=referral.item or "")


def was_counselled(_case: Case, _referral: Referral, told: PartnerReport, _ctx: Context) -> Iterator[Event]:
    if told.outcome == "COUNSELLED":
        yield ArrivalCounsellingHeld()


def record_delivery(case: Case, report: RecordDelivery, ctx: Context) -> Iterator[Event]:
    """A delivery is a fact, also a second one: that must become visible, and the person is not punished for it."""
    _insist_on_item(case, report.item_id)
    yield from _given(case, report.item_id, ctx)


def _given(case: Case, item_id: str, ctx: Context) -> Iterator[Event]:
    again = item_id in _delivered(case)
    yield AssistanceItemDelivered(item_id=item_id)
    if again:
        within = ctx.policy.pinned.quarantine_review
        yield task("item delivered twice", "REINTEGRATION_OFFICER", within, ctx, subject=item_id)


def on_retraction(_case: Case, referral: Referral, _told: PartnerReport, ctx: Context) -> Iterator[Event]:
    """What was recorded as given stays on record; whether it was given is for a person to find out."""
    within, subject = ctx.policy.pinned.quarantine_review, str(referral.referral_id)
    yield task("an answer was taken back: see what was given", "REINTEGRATION_OFFICER", within, ctx, subject=subject)


def cancel_item(case: Case, order: CancelItem, _ctx: Context) -> Iterator[Event]:
    _insist_on_item(case, order.item_id)
    yield AssistanceItemCancelled(item_id=order.item_id, reason=order.reason)


def _insist_on_item(case: Case, item_id: str) -> None:
    plan = case.latest(ReintegrationPlanDrafted)
    known = plan.item_ids if plan else ()
    if not case.has(ReintegrationPlanApproved) or item_id not in known:
        raise Rejected(
            "PLAN.NO_SUCH_ITEM", f"item {item_id!r} is not in an approved plan ({', '.join(known)})", field="item_id"
        )


def record_monitoring(_case: Case, report: RecordMonitoring, _ctx: Context) -> Iterator[Event]:
    yield MonitoringVisitConducted(month=report.month, finding=report.finding)


def record_rss(_case: Case, report: RecordRss, _ctx: Context) -> Iterator[Event]:
    yield ReintegrationSurveyRecorded(wave=report.wave, rss_version=report.rss_version, composite=report.composite)


def complete_reintegration(case: Case, _order: CompleteReintegration, _ctx: Context) -> Iterator[Event]:
    missing = list(_still_missing(case))
    if missing:
        raise Rejected("REINTEGRATION.UNFINISHED", f"still missing: {', '.join(missing)}", failures=tuple(missing))
    yield ReintegrationCompleted()


def _still_missing(case: Case) -> Iterator[str]:
    plan = case.latest(ReintegrationPlanDrafted)
    if plan is None or not case.has(ReintegrationPlanApproved):
        yield "an approved plan"
        return
    ended = _delivered(case) | {gone.item_id for gone in case.every(AssistanceItemCancelled)}
    yield from (f"item {item_id}" for item_id in plan.item_ids if item_id not in ended)
    if not case.has(MonitoringVisitConducted):
        yield "a monitoring visit"
    if not any(wave.wave == "ENDLINE" for wave in case.every(ReintegrationSurveyRecorded)):
        yield "the endline survey"


def _delivered(case: Case) -> set[str]:
    return {given.item_id for given in case.every(AssistanceItemDelivered)}


# The stage


def may_open(case: Case, _ctx: Context) -> str | None:
    return None if case.phase is Phase.POST_ARRIVAL and case.has(ReceptionCompleted) else "RECEPTION_NOT_COMPLETED"


def follow_up(case: Case, ctx: Context) -> Iterator[Event]:
    if case.has(ReintegrationEnrolled) and not case.referrals_of(ReferralKind.REINTEGRATION_COUNSELLING):
        yield from refer(case, ReferralKind.REINTEGRATION_COUNSELLING, ctx)


def missing(case: Case, _ctx: Context) -> list[Requirement]:
    """The first thing that is missing, in the order the work is done."""
    since = case.stages[Stage.REINTEGRATION].since
    steps = (
        (case.has(ReintegrationEnrolled), "STAFF.ENROLMENT"),
        (case.has(ArrivalCounsellingHeld), "PARTNER.COUNSELLING"),
        (case.has(ReintegrationNeedsAssessed), "STAFF.NEEDS"),
        (case.has(ReintegrationPlanDrafted), "STAFF.PLAN"),
        (case.has(ReintegrationPlanApproved), "STAFF.PLAN_APPROVAL"),
        (not list(_still_missing(case)), "PARTNER.DELIVERY_AND_MONITORING"),
        (case.has(ReintegrationCompleted), "STAFF.COMPLETE_REINTEGRATION"),
    )
    first = next((code for reached, code in steps if not reached), None)
    return [Requirement(first, "REINTEGRATION_OFFICER", "REINTEGRATION.STEPS", since)] if first else []


REINTEGRATION = StageRules(
    stage=Stage.REINTEGRATION,
    title="Reintegration",
    may_open=may_open,
    follow_up=follow_up,
    missing=missing,
    rules={
        EnrolReintegration: enrol_reintegration,
        RecordArrivalCounselling: record_arrival_counselling,
        AssessReintegrationNeeds: assess_reintegration_needs,
        DraftPlan: draft_plan,
        ApprovePlan: approve_plan,
        RecordDelivery: record_delivery,
        CancelItem: cancel_item,
        RecordMonitoring: record_monitoring,
        RecordRss: record_rss,
        CompleteReintegration: complete_reintegration,
    },
    answers={
        (ReferralKind.REINTEGRATION_COUNSELLING, SignalType.COMPLETED): was_counselled,
        (ReferralKind.REINTEGRATION_SERVICE, SignalType.COMPLETED): delivered,
    },
    on_retraction=dict.fromkeys(
        (ReferralKind.REINTEGRATION_COUNSELLING, ReferralKind.REINTEGRATION_SERVICE), on_retraction
    ),
)
