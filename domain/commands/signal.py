"""Commands that carry what a partner sent, and commands that resolve what was quarantined."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.kernel.message import Message, OutcomeCode, Text, Word
from domain.kernel.vocabulary import SignalType


class Attachment(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    media_type: Word


class SubjectCheck(BaseModel):
    """Whom the partner believes to be speaking of (rule QUARANTINE.IDENTITY_MISMATCH)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    given_name: Word
    year_of_birth: int | None = Field(default=None, ge=1900, le=2100)


class ReceivePartnerSignal(Message):
    """A completion signal. ``occurred_at`` and ``sent_at`` are the partner's clock, and only claims.

    See rule SIGNAL.DISPOSITION.
    """

    FROM: ClassVar[str] = "partner"

    signal_id: UUID
    referral_token: Annotated[str, Field(min_length=16, max_length=64)]
    partner_id: Word
    signal_type: SignalType
    outcome_code: OutcomeCode | None = None
    reason: Annotated[str, Field(max_length=2000)] | None = None
    payload: dict[str, Any] = Field(default_factory=dict)
    payload_version: int = Field(default=1, ge=1)
    """Which version of the kind's payload this is (``domain.referral.outcomes``)."""
    occurred_at: AwareDatetime
    sent_at: AwareDatetime | None = None
    partner_seq: int | None = Field(default=None, ge=0)
    supersedes_signal_id: UUID | None = None
    subject_check: SubjectCheck | None = None
    until: date | None = None
    attachments: tuple[Attachment, ...] = ()
    sheet_id: UUID | None = None
    """The sheet it was written on, when one of us put it in."""


class ReceiveContradiction(ReceivePartnerSignal):
    """What was said under an id that was used before. Handed on by the desk that takes messages in."""

    FROM: ClassVar[str] = "desk"


class ResolveQuarantinedSignal(Message):
    """A person decides what a doubtful signal means: what it says counts, or it is set aside.

    ``outcome_code`` and ``payload`` correct what the partner sent, as it told that person since.
    """

    signal_id: UUID
    decision: Annotated[str, Field(pattern="^(AMEND|IGNORE)$")]
    reason: Text
    outcome_code: OutcomeCode | None = None
    payload: dict[str, Any] | None = None


class ResolveQuarantinedMessage(Message):
    """A person's decision on a message that could not be taken in. Handed on by the desk that carries it out."""

    FROM: ClassVar[str] = "desk"

    kept_message: UUID
    decision: Literal["AGAIN", "SET_ASIDE"]
    reason: Text
