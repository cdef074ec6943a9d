"""Handlers for reports about deliveries to partners: a delivery failed, or a person delivered the message by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.clearance.actions import task
from domain.commands.referral import ReportDeliveryFailure, ReportHandedOver
from domain.events.case import TaskCompleted, TaskRaised
from domain.events.referral import ReferralDeliveryFailed, ReferralHandedOver
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.vocabulary import ReferralStatus
from domain.referral.requests import find_referral

NO_RECEIVER: Final = "NO_RECEIVER"
"""The cause when a partner has no webhook receiver: its messages are delivered by hand, and nothing has failed."""

DELIVER_BY_HAND: Final = "bring a partner its message by hand"

NOT_DELIVERED: Final = "a message to a partner was not delivered"


def report_delivery_failure(case: Case, report: ReportDeliveryFailure, ctx: Context) -> Iterator[Event]:
    """Records the failure and raises a task: deliver the message by hand, or make its delivery possible."""
    referral = find_referral(case, report.referral_id)
    pinned, subject = ctx.policy.pinned, str(referral.referral_id)
    within = pinned.late_result_review if referral.urgent else pinned.quarantine_review
    if report.cause == NO_RECEIVER:
        yield task(DELIVER_BY_HAND, "CASE_SUPERVISOR", within, ctx, subject=subject)
        return
    yield ReferralDeliveryFailed(
        referral_id=referral.referral_id,
        partner_id=referral.partner_id,
        cause=report.cause,
        letter=report.letter,
    )
    yield task(NOT_DELIVERED, "CASE_SUPERVISOR", within, ctx, subject=subject)


def report_handed_over(case: Case, report: ReportHandedOver, _ctx: Context) -> Iterator[Event]:
    """Records a delivery by hand and completes the tasks that asked for it."""
    referral = find_referral(case, report.referral_id)
    if referral.status is ReferralStatus.DRAFT:
        raise Rejected(
            "REFERRAL.NOT_SENT",
            "the referral has not been sent, so its messages must not be delivered; send the referral first",
        )
    yield ReferralHandedOver(
        referral_id=referral.referral_id, kind=referral.kind, partner_id=referral.partner_id, how=report.how
    )
    yield from _complete_delivery_tasks(case, referral, report.how)


def _complete_delivery_tasks(case: Case, referral: Referral, how: str) -> Iterator[Event]:
    for raised in case.every(TaskRaised):
        about_it = raised.task in (DELIVER_BY_HAND, NOT_DELIVERED) and raised.subject == str(referral.referral_id)
        if about_it and raised.task_id in case.tasks:
            yield TaskCompleted(task_id=raised.task_id, task=raised.task, outcome=f"brought by a person ({how})")
