"""Commands about a referral: of staff, and the reports of failed deliveries."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from domain.kernel.message import Message, Text, Word
from domain.kernel.person import Interview
from domain.kernel.vocabulary import ReferralKind


class ReportDeliveryFailure(Message):
    """Sent by the system when it stops trying to deliver a message. ``cause`` and ``letter`` are neutral words."""

    FROM: ClassVar[str] = "system"

    referral_id: UUID
    cause: Word
    letter: Word = "referral.sent"


# Referrals


class CreateReferral(Message):
    """Creates a referral to a partner.

    ``informed``: the person was informed that this partner must report to authorities, and agreed.
    """

    kind: ReferralKind
    partner_id: Word | None = None
    urgent: bool = False
    informed: bool = False
    interview: Interview | None = None


class SendReferral(Message):
    referral_id: UUID


class AmendReferral(Message):
    """Sends the partner its minimum data set again, after some of the data has changed."""

    referral_id: UUID


class CancelReferral(Message):
    referral_id: UUID
    reason: Text


class PauseReferral(Message):
    """Suspends the due dates of a referral in progress; the pause itself comes up for review at an interval."""

    referral_id: UUID
    reason: Text
    until: date | None = None


class ResumeReferral(Message):
    referral_id: UUID


class ReassignReferral(Message):
    referral_id: UUID
    partner_id: Word
    reason: Text
    informed: bool = False


class ConfirmReferralExpiry(Message):
    """Confirms that the partner will not answer. A referral never expires without this confirmation."""

    referral_id: UUID
    reason: Text


class MarkReferralEnteredInError(Message):
    referral_id: UUID
    reason: Text


class ReportHandedOver(Message):
    """A member of staff delivered a referral manually: on paper, by telephone, in a visit, by a link or on a sheet."""

    referral_id: UUID
    how: Literal["PAPER", "PHONE", "VISIT", "LINK", "SHEET"]


class ListReferral(Message):
    """Puts a referral on a sheet for its partner. Rejected when the data may no longer be disclosed."""

    referral_id: UUID
    sheet_id: UUID
