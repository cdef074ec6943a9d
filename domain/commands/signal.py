"""Commands that carry a partner's signal, and commands that resolve quarantined signals and messages."""

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
    """The person whom the partner believes the signal concerns (rule QUARANTINE.IDENTITY_MISMATCH)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    given_name: Word
    year_of_birth: int | None = Field(default=None, ge=1900, le=2100)


class ReceivePartnerSignal(Message):
    """A partner's signal. ``occurred_at`` and ``sent_at`` follow the partner's clock and are claims only.

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
    """Version of the payload for this kind of referral (``domain.referral.outcomes``)."""
    occurred_at: AwareDatetime
    sent_at: AwareDatetime | None = None
    partner_seq: int | None = Field(default=None, ge=0)
    supersedes_signal_id: UUID | None = None
    subject_check: SubjectCheck | None = None
    until: date | None = None
    attachments: tuple[Attachment, ...] = ()
    sheet_id: UUID | None = None
    """The sheet from which a member of staff recorded the signal."""


class ReceiveContradiction(ReceivePartnerSignal):
    """A signal with different content under an id that was already used. Forwarded by the intake."""

    FROM: ClassVar[str] = "desk"


class ResolveQuarantinedSignal(Message):
    """An officer decides about a quarantined signal: it takes effect, or it is set aside.

    ``outcome_code`` and ``payload`` correct the signal as the partner has since clarified.
    """

    signal_id: UUID
    decision: Annotated[str, Field(pattern="^(AMEND|IGNORE)$")]
    reason: Text
    outcome_code: OutcomeCode | None = None
    payload: dict[str, Any] | None = None


class ResolveQuarantinedMessage(Message):
    """An officer's decision about a message that could not be processed. Forwarded by the quarantine service."""

    FROM: ClassVar[str] = "desk"

    kept_message: UUID
    decision: Literal["AGAIN", "SET_ASIDE"]
    reason: Text
