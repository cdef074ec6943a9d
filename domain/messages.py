"""What may be asked of a case: one frozen model each, under the name domain.md gives the command.

Here are the base, the registry and what belongs to no single stage; a stage's own messages stand in its file.
A message is an order (guarded, may be refused) or a report of a fact (always recorded); its rule says which.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.person import Interview
from domain.words import (
    Block,
    ClearanceKind,
    ClosureReason,
    HoldType,
    Phase,
    Priority,
    ReferralKind,
    RiskLevel,
    SignalType,
)

Text = Annotated[str, Field(min_length=1, max_length=2000)]
Word = Annotated[str, Field(min_length=1, max_length=120)]
OutcomeCode = Annotated[str, Field(pattern="^[A-Z][A-Z0-9_]{1,60}$")]

MESSAGES: dict[str, type[Message]] = {}


class Message(BaseModel):
    """Something asked of a case or a movement. Unknown fields are refused, so that a typing error is never lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    FROM: ClassVar[str] = "staff"
    """Who may send it: ``staff``, ``partner``, ``file`` (with its file), ``letter`` (another stream), or ``system``
    (whoever delivers for us)."""
    TO: ClassVar[str] = "case"

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if cls.__name__ in MESSAGES:
            raise TypeError(f"message {cls.__name__} is declared twice")
        MESSAGES[cls.__name__] = cls


# Notes and people


class AssignCaseWorker(Message):
    user: Word


class SetPriority(Message):
    priority: Priority
    basis: Word


class AddNote(Message):
    note: Text


class RecordContactAttempt(Message):
    channel: Word
    result: Word


class InformPerson(Message):
    topic: Word
    channel: Word
    language: Word


class CompleteTask(Message):
    task_id: UUID
    outcome: Word


# Holds and clearances


class PlaceHold(Message):
    hold_type: HoldType
    reason: Text


class ReviewHold(Message):
    hold_id: UUID
    decision: Word
    unblock: tuple[Block, ...] = ()


class LiftHold(Message):
    hold_id: UUID
    reason: Text


class GrantClearance(Message):
    """A named officer grants a permission that no partner's answer grants by itself."""

    kind: ClearanceKind
    evidence: Text
    valid_until: AwareDatetime | None = None


class RevokeClearance(Message):
    kind: ClearanceKind
    cause: Word


class RaiseProtectionConcern(Message):
    """A concern for the person's safety, at any stage. Its content is sealed."""

    risk_level: RiskLevel
    concern: Text


# Leaving the way


class WithdrawVoluntaryReturn(Message):
    """The person no longer wants to return. No reason is asked, none is needed, and nothing outranks it."""

    channel: Word
    place: Word = "OFFICE"
    reported_by_other: bool = False


class CloseCase(Message):
    reason: ClosureReason
    approved_by: Word


class ReopenCase(Message):
    target_phase: Phase
    reason: Text


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


class ResolveQuarantinedSignal(Message):
    """A person decides what a doubtful signal means: what it says counts, or it is set aside.

    ``outcome_code`` and ``payload`` correct what the partner sent, as it told that person since.
    """

    signal_id: UUID
    decision: Annotated[str, Field(pattern="^(AMEND|IGNORE)$")]
    reason: Text
    outcome_code: OutcomeCode | None = None
    payload: dict[str, Any] | None = None


class SubjectCheck(BaseModel):
    """Whom the partner believes to be speaking of (domain.md 00, 6)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    given_name: Word
    year_of_birth: int | None = Field(default=None, ge=1900, le=2100)


class Attachment(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    media_type: Word


class ReceivePartnerSignal(Message):
    """A completion signal (domain.md 5.3). ``occurred_at`` and ``sent_at`` are the partner's clock, and only claims."""

    FROM: ClassVar[str] = "partner"

    signal_id: UUID
    referral_token: Annotated[str, Field(min_length=16, max_length=64)]
    partner_id: Word
    signal_type: SignalType
    outcome_code: OutcomeCode | None = None
    reason: Annotated[str, Field(max_length=2000)] | None = None
    payload: dict[str, Any] = Field(default_factory=dict)
    payload_version: int = Field(default=1, ge=1)
    """Which version of the kind's payload this is (``domain.answers``)."""
    occurred_at: AwareDatetime
    sent_at: AwareDatetime | None = None
    partner_seq: int | None = Field(default=None, ge=0)
    supersedes_signal_id: UUID | None = None
    subject_check: SubjectCheck | None = None
    until: date | None = None
    attachments: tuple[Attachment, ...] = ()
    sheet_id: UUID | None = None
    """The sheet it was written on, when one of us put it in."""
