"""Commands that belong to no single stage; the class name is the name that staff type.

A command either requests an action, which a rule may reject, or reports a fact, which is always recorded. The handler
decides which of the two it is.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from domain.events.evidence import Digest, FileName
from domain.kernel.message import Message, Text, Word
from domain.kernel.vocabulary import Block, ClearanceKind, ClosureReason, HoldType, Phase, Priority, RiskLevel

# Evidence


class AttachEvidence(Message):
    """Attaches a file that has been encrypted and stored. Accepted only together with the file itself."""

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
    """A named officer grants a clearance that is not granted automatically by a partner's answer."""

    kind: ClearanceKind
    evidence: Text
    valid_until: AwareDatetime | None = None


class RevokeClearance(Message):
    kind: ClearanceKind
    cause: Word


class RaiseProtectionConcern(Message):
    """Raises a concern for the person's safety, at any stage. Its content is sealed."""

    risk_level: RiskLevel
    concern: Text


# Withdrawal, closure and reopening


class WithdrawVoluntaryReturn(Message):
    """The person withdraws from voluntary return. No reason is required; it takes precedence over all else."""

    channel: Word
    place: Word = "OFFICE"
    reported_by_other: bool = False


class CloseCase(Message):
    reason: ClosureReason
    approved_by: Word


class ReopenCase(Message):
    target_phase: Phase
    reason: Text
