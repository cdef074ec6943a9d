"""Reintegration: a plan signed by the returnee, assistance in kind, and monitoring until the returnee is settled.

Who      the reintegration officer in the country of return, and service providers
Shows    counselling, a plan within the ceiling, deliveries, monitoring visits, an endline survey
Done     every item delivered or cancelled, a monitoring visit and the endline survey held; completed by the officer
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

# Handlers


def enrol_reintegration(_case: Case, command: EnrolReintegration, _ctx: Context) -> Iterator[Event]:
    yield ReintegrationEnrolled(office=command.office)


def record_arrival_counselling(_case: Case, _command: RecordArrivalCounselling, _ctx: Context) -> Iterator[Event]:
    yield ArrivalCounsellingHeld()


def assess_reintegration_needs(_case: Case, command: AssessReintegrationNeeds, _ctx: Context) -> Iterator[Event]:
    yield ReintegrationNeedsAssessed(needs=command.needs)


def draft_plan(case: Case, command: DraftPlan, ctx: Context) -> Iterator[Event]:
    if not command.signed_by_returnee:
        raise Rejected(
            "PLAN.UNSIGNED",
            "the returnee has not signed the plan; obtain the signature first",
            field="signed_by_returnee",
        )
    ids = tuple(item.item_id for item in command.items)
    if len(set(ids)) != len(ids):
        raise Rejected(
            "PLAN.ITEM_TWICE",
            f"each item needs an id of its own; these are not unique: {', '.join(ids)}",
            field="items",
        )
    yield ReintegrationPlanDrafted(
        plan_version=len(case.every(ReintegrationPlanDrafted)) + 1,
        total_eur=sum(item.amount_eur for item in command.items),
        drafted_by=ctx.actor,
        item_ids=ids,
        items=command.items,
    )


def approve_plan(case: Case, command: ApprovePlan, ctx: Context) -> Iterator[Event]:
    """An officer approves within the ceiling; above it, a named programme manager must (rule PLAN.CEILING)."""
    plan = case.latest(ReintegrationPlanDrafted)
    if plan is None:
        raise Rejected("PLAN.NONE", "there is no plan to approve; draft a plan first")
    ceiling = case.policy.pinned.reintegration_ceiling_eur
    if plan.total_eur > ceiling and not command.over_ceiling_approved_by:
        raise Rejected(
            "PLAN.CEILING",
            (
                f"the plan amounts to {plan.total_eur} EUR, above the ceiling of {ceiling} EUR; "
                "name the programme manager who approves it"
            ),
            field="over_ceiling_approved_by",
        )
    yield ReintegrationPlanApproved(
        plan_version=plan.plan_version, approved_by=command.over_ceiling_approved_by or ctx.actor
    )
    for item_id in plan.item_ids:
        yield from refer(case, ReferralKind.REINTEGRATION_SERVICE, ctx, item=item_id)


def on_service_answer(case: Case, referral: Referral, report: PartnerReport, ctx: Context) -> Iterator[Event]:
    if report.outcome == "DELIVERED" and referral.item:
        yield from _deliver(case, referral.item, ctx)
    else:
        within = ctx.policy.pinned.quarantine_review
        yield task("item not delivered in full", "REINTEGRATION_OFFICER", within, ctx, subject=referral.item or "")


def on_counselling_answer(_case: Case, _referral: Referral, report: PartnerReport, _ctx: Context) -> Iterator[Event]:
    if report.outcome == "COUNSELLED":
        yield ArrivalCounsellingHeld()


def record_delivery(case: Case, command: RecordDelivery, ctx: Context) -> Iterator[Event]:
    """Records a delivery, also a second one, which creates a task; it has no adverse effect on the person."""
    _require_item(case, command.item_id)
    yield from _deliver(case, command.item_id, ctx)


def _deliver(case: Case, item_id: str, ctx: Context) -> Iterator[Event]:
    again = item_id in _delivered(case)
    yield AssistanceItemDelivered(item_id=item_id)
    if again:
        within = ctx.policy.pinned.quarantine_review
        yield task("item delivered twice", "REINTEGRATION_OFFICER", within, ctx, subject=item_id)


def on_service_retraction(_case: Case, referral: Referral, _report: PartnerReport, ctx: Context) -> Iterator[Event]:
    """Creates a task to verify what was delivered; the recorded deliveries stay on record."""
    within, subject = ctx.policy.pinned.quarantine_review, str(referral.referral_id)
    yield task("an answer was taken back: see what was given", "REINTEGRATION_OFFICER", within, ctx, subject=subject)


def cancel_item(case: Case, command: CancelItem, _ctx: Context) -> Iterator[Event]:
    _require_item(case, command.item_id)
    yield AssistanceItemCancelled(item_id=command.item_id, reason=command.reason)


def _require_item(case: Case, item_id: str) -> None:
    plan = case.latest(ReintegrationPlanDrafted)
    known = plan.item_ids if plan else ()
    if not case.has(ReintegrationPlanApproved) or item_id not in known:
        raise Rejected(
            "PLAN.NO_SUCH_ITEM",
            (f"item {item_id!r} is not in an approved plan; items of the plan: {', '.join(known) or 'none'}"),
            field="item_id",
        )


def record_monitoring(_case: Case, command: RecordMonitoring, _ctx: Context) -> Iterator[Event]:
    yield MonitoringVisitConducted(month=command.month, finding=command.finding)


def record_rss(_case: Case, command: RecordRss, _ctx: Context) -> Iterator[Event]:
    yield ReintegrationSurveyRecorded(wave=command.wave, rss_version=command.rss_version, composite=command.composite)


def complete_reintegration(case: Case, _command: CompleteReintegration, _ctx: Context) -> Iterator[Event]:
    missing = list(_unfinished(case))
    if missing:
        raise Rejected(
            "REINTEGRATION.UNFINISHED",
            f"still missing: {', '.join(missing)}; complete these first",
            failures=tuple(missing),
        )
    yield ReintegrationCompleted()


def _unfinished(case: Case) -> Iterator[str]:
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


# Stage rules


def may_open(case: Case, _ctx: Context) -> str | None:
    return None if case.phase is Phase.POST_ARRIVAL and case.has(ReceptionCompleted) else "RECEPTION_NOT_COMPLETED"


def follow_up(case: Case, ctx: Context) -> Iterator[Event]:
    if case.has(ReintegrationEnrolled) and not case.referrals_of(ReferralKind.REINTEGRATION_COUNSELLING):
        yield from refer(case, ReferralKind.REINTEGRATION_COUNSELLING, ctx)


def missing(case: Case, _ctx: Context) -> list[Requirement]:
    """Returns the first missing step, in the order of the work."""
    since = case.stages[Stage.REINTEGRATION].since
    steps = (
        (case.has(ReintegrationEnrolled), "STAFF.ENROLMENT"),
        (case.has(ArrivalCounsellingHeld), "PARTNER.COUNSELLING"),
        (case.has(ReintegrationNeedsAssessed), "STAFF.NEEDS"),
        (case.has(ReintegrationPlanDrafted), "STAFF.PLAN"),
        (case.has(ReintegrationPlanApproved), "STAFF.PLAN_APPROVAL"),
        (not list(_unfinished(case)), "PARTNER.DELIVERY_AND_MONITORING"),
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
        (ReferralKind.REINTEGRATION_COUNSELLING, SignalType.COMPLETED): on_counselling_answer,
        (ReferralKind.REINTEGRATION_SERVICE, SignalType.COMPLETED): on_service_answer,
    },
    on_retraction=dict.fromkeys(
        (ReferralKind.REINTEGRATION_COUNSELLING, ReferralKind.REINTEGRATION_SERVICE), on_service_retraction
    ),
)
