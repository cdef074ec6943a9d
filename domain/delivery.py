"""What a case is told by whoever delivers for it: a message to a partner did not arrive, or has nowhere to arrive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final
from uuid import UUID

from domain.case import Case
from domain.event import Event
from domain.messages import Message, Word
from domain.moment import Moment, Refused
from domain.referral import ReferralDeliveryFailed
from domain.steps import task

NO_RECEIVER: Final = "NO_RECEIVER"
"""The partner has no system that listens: its messages go by hand, and nothing has failed."""


class ReportDeliveryFailure(Message):
    """From ourselves: nobody goes on delivering by itself. ``cause`` and ``letter`` are neutral words."""

    FROM: ClassVar[str] = "system"

    referral_id: UUID
    cause: Word
    letter: Word = "referral.sent"


def report_failure(case: Case, report: ReportDeliveryFailure, m: Moment) -> Iterator[Event]:
    """A person brings the message, or sees to it that it can be delivered."""
    referral = case.referrals.get(report.referral_id)
    if referral is None:
        raise Refused("REFERRAL.UNKNOWN", f"this case has no referral {report.referral_id}", field="referral_id")
    within, subject = m.policy.pinned.quarantine_review, str(referral.referral_id)
    if report.cause == NO_RECEIVER:
        yield task("bring a partner its message by hand", "CASE_SUPERVISOR", within, m, subject=subject)
        return
    yield ReferralDeliveryFailed(referral_id=referral.referral_id, partner_id=referral.partner_id)
    yield task("a message to a partner was not delivered", "CASE_SUPERVISOR", within, m, subject=subject)
