"""What may be asked of a case: one frozen model each, under the name that staff type.

Here are the base, the registry and what belongs to no single stage; a stage's own messages stand in its file.
A message is an order (guarded, may be refused) or a report of a fact (always recorded); its rule says which.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from domain.events.evidence import Digest, FileName
from domain.kernel.message import Message, Text, Word
from domain.kernel.vocabulary import Block, ClearanceKind, ClosureReason, HoldType, Phase, Priority, RiskLevel

# Messages


class AttachEvidence(Message):
    """A file that has been sealed and kept. Comes only with its file, through the door for files."""

    FROM: ClassVar[str] = "file"

    file_hash: Digest
    content_hash: Digest
    file_name: FileName
    media_type: Word
    size: Annotated[int, Field(ge=0)]
    note: Annotated[str, Field(max_length=2000)] | None = None
    compartment: Literal["GEN", "MED", "PROT"] = "GEN"
    sheet_id: UUID | None = None


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
