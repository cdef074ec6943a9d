"""What a case is told by whoever delivers for it: a message to a partner did not arrive, or was brought by hand."""

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
from domain.referral.requests import find

NO_RECEIVER: Final = "NO_RECEIVER"
"""The partner has no system that listens: its messages go by hand, and nothing has failed."""

BRING: Final = "bring a partner its message by hand"

NOT_DELIVERED: Final = "a message to a partner was not delivered"


def report_delivery_failure(case: Case, report: ReportDeliveryFailure, ctx: Context) -> Iterator[Event]:
    """A fact, and something a person must do: bring the message, or see to it that it can be delivered."""
    referral = find(case, report.referral_id)
    pinned, subject = ctx.policy.pinned, str(referral.referral_id)
    within = pinned.late_result_review if referral.urgent else pinned.quarantine_review
    if report.cause == NO_RECEIVER:
        yield task(BRING, "CASE_SUPERVISOR", within, ctx, subject=subject)
        return
    yield ReferralDeliveryFailed(
        referral_id=referral.referral_id,
        partner_id=referral.partner_id,
        cause=report.cause,
        letter=report.letter,
    )
    yield task(NOT_DELIVERED, "CASE_SUPERVISOR", within, ctx, subject=subject)


def report_handed_over(case: Case, report: ReportHandedOver, _ctx: Context) -> Iterator[Event]:
    """The partner has it, although no system of ours could bring it there: nobody need see to it any more."""
    referral = find(case, report.referral_id)
    if referral.status is ReferralStatus.DRAFT:
        raise Rejected("REFERRAL.NOT_SENT", "the referral has not been sent; nothing of it may be brought to anybody")
    yield ReferralHandedOver(
        referral_id=referral.referral_id, kind=referral.kind, partner_id=referral.partner_id, how=report.how
    )
    yield from _seen_to(case, referral, report.how)


def _seen_to(case: Case, referral: Referral, how: str) -> Iterator[Event]:
    for raised in case.every(TaskRaised):
        about_it = raised.task in (BRING, NOT_DELIVERED) and raised.subject == str(referral.referral_id)
        if about_it and raised.task_id in case.tasks:
            yield TaskCompleted(task_id=raised.task_id, task=raised.task, outcome=f"brought by a person ({how})")
