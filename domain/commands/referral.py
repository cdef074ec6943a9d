"""Commands of staff about a referral."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from domain.kernel.message import Message, Text, Word
from domain.kernel.person import Interview
from domain.kernel.vocabulary import ReferralKind


class ReportDeliveryFailure(Message):
    """From ourselves: nobody goes on delivering by itself. ``cause`` and ``letter`` are neutral words."""

    FROM: ClassVar[str] = "system"

    referral_id: UUID
    cause: Word
    letter: Word = "referral.sent"


# Referrals


class CreateReferral(Message):
    """Ask a partner. ``informed``: the person was told that this partner must report to authorities, and wants it."""

    kind: ReferralKind
    partner_id: Word | None = None
    urgent: bool = False
    informed: bool = False
    interview: Interview | None = None


class SendReferral(Message):
    referral_id: UUID


class AmendReferral(Message):
    """Tell the partner of a referral again what it may know, after something of it has changed."""

    referral_id: UUID


class CancelReferral(Message):
    referral_id: UUID
    reason: Text


class PauseReferral(Message):
    """Stop the clock of what is under way; the pause itself is asked about again and again."""

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
    """A person confirms that nobody answers any more; silence alone never ends a referral."""

    referral_id: UUID
    reason: Text


class MarkReferralEnteredInError(Message):
    referral_id: UUID
    reason: Text


class ReportHandedOver(Message):
    """A referral was brought to its partner by a person: on paper, by telephone, in a visit, by a link."""

    referral_id: UUID
    how: Literal["PAPER", "PHONE", "VISIT", "LINK", "SHEET"]


class ListReferral(Message):
    """Put a referral on a sheet for its partner. Refused when nothing may leave any more."""

    referral_id: UUID
    sheet_id: UUID
