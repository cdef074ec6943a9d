"""Events that belong to no single stage: the case itself, its stages, holds, clearances and tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from domain.case.aggregate import ERASE_TASK, Case, Clearance, Hold, Task
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.holds import BLOCKS
from domain.kernel.person import Country, Person
from domain.kernel.sentences import code_in_words, date_and_time
from domain.kernel.vocabulary import (
    Block,
    Checkpoint,
    ClearanceKind,
    ClearanceStatus,
    ClosureReason,
    HoldType,
    IntakeChannel,
    LivingSituation,
    Phase,
    Priority,
    PublicClosure,
    Stage,
    StageStatus,
)

# The case


class CaseRegistered(Event):
    """A case was opened for a person who asked for information or for return."""

    TOPIC: ClassVar[str] = "CaseRegistered"
    SENTENCE: ClassVar[str] = (
        "Registered as {number} at {office} (channel: {channel}); country of return: {country_of_return:country}."
    )

    number: str
    edition: str
    policy_edition: str
    channel: IntakeChannel
    office: str
    living_situation: LivingSituation
    country_of_return: Country
    registered_on: AwareDatetime
    source: str | None = None
    person: Annotated[Person | None, Sealed(Compartment.GEN)] = None

    def apply_to(self, case: Case) -> None:
        case.number, case.edition, case.policy_edition = self.number, self.edition, self.policy_edition
        case.living_situation, case.country_of_return = self.living_situation, self.country_of_return
        case.person, case.phase = self.person, Phase.INTAKE


class CaseWorkerAssigned(Event):
    TOPIC: ClassVar[str] = "CaseWorkerAssigned"
    SENTENCE: ClassVar[str] = "Case worker assigned: {user:actor}."

    user: str


class CasePriorityAssigned(Event):
    TOPIC: ClassVar[str] = "CasePriorityAssigned"
    SENTENCE: ClassVar[str] = "Priority set to {priority} (basis: {basis:words})."

    priority: Priority
    basis: Annotated[str | None, Sealed(Compartment.PROT)] = None

    def apply_to(self, case: Case) -> None:
        case.priority = self.priority


class NoteAdded(Event):
    TOPIC: ClassVar[str] = "NoteAdded"
    SENTENCE: ClassVar[str] = "Note: {note}"

    note: Annotated[str | None, Sealed(Compartment.GEN)] = None


class ContactAttempted(Event):
    TOPIC: ClassVar[str] = "ContactAttempted"
    SENTENCE: ClassVar[str] = "Contact attempted by {channel:words}: {result:words}."

    channel: str
    result: Annotated[str | None, Sealed(Compartment.GEN)] = None


class PersonInformed(Event):
    TOPIC: ClassVar[str] = "PersonInformed"
    SENTENCE: ClassVar[str] = "Person informed by {channel:words}, in {language:language}: {topic:words}."

    channel: str
    language: str
    topic: Annotated[str | None, Sealed(Compartment.CONS)] = None


class RestrictedFactRecorded(Event):
    """An event whose name alone would reveal restricted data: its true name and content are sealed."""

    TOPIC: ClassVar[str] = "RestrictedFactRecorded"
    SENTENCE: ClassVar[str] = "Restricted information recorded."

    compartment_class: str
    true_name: Annotated[str | None, Sealed(Compartment.PROT)] = None
    content: Annotated[dict[str, Any] | None, Sealed(Compartment.PROT)] = None

    @property
    def name(self) -> str:
        return self.true_name or self.TOPIC


class CaseClosed(Event):
    TOPIC: ClassVar[str] = "CaseClosed"
    SENTENCE: ClassVar[str] = (
        "Case closed: {public_reason}; decided by {decided_by:actor}, approved by {approved_by:actor}."
    )

    public_reason: PublicClosure
    decided_by: str
    approved_by: str
    reason: Annotated[ClosureReason | None, Sealed(Compartment.PROT)] = None

    def apply_to(self, case: Case) -> None:
        case.phase, case.closed_at, case.reopen_proposed = Phase.CLOSED, self.timestamp, False
        for state in case.stages.values():
            if state.status in (StageStatus.OPEN, StageStatus.REOPENED):
                state.status, state.since = StageStatus.ABANDONED, self.timestamp


class CaseReopenProposed(Event):
    TOPIC: ClassVar[str] = "CaseReopenProposed"
    SENTENCE: ClassVar[str] = "Reopening of the case proposed (cause: {trigger}); awaiting a decision."

    trigger: str

    def apply_to(self, case: Case) -> None:
        case.reopen_proposed = True


class CaseReopened(Event):
    """The case was reopened for a new decision: clearances start expired, and screening is repeated."""

    TOPIC: ClassVar[str] = "CaseReopened"
    SENTENCE: ClassVar[str] = "Case reopened into the phase '{target_phase}': {reason}."

    target_phase: Phase
    reason: Annotated[str | None, Sealed(Compartment.PROT)] = None

    def apply_to(self, case: Case) -> None:
        case.phase, case.closed_at, case.reopen_proposed = self.target_phase, None, False
        case.consents.clear()
        case.seat = case.seat if self.target_phase is Phase.POST_ARRIVAL else None
        case.nomination = None
        after = (Stage.RECEPTION, Stage.REINTEGRATION)
        again = after if self.target_phase is Phase.POST_ARRIVAL else tuple(Stage)
        for stage in again:
            state = case.stages[stage]
            state.status, state.since, state.begun = StageStatus.NOT_STARTED, self.timestamp, self.originator_version


# Stages


class StageOpened(Event):
    TOPIC: ClassVar[str] = "StageOpened"
    SENTENCE: ClassVar[str] = "Stage opened: {stage}."

    stage: Stage

    def apply_to(self, case: Case) -> None:
        state = case.stages[self.stage]
        state.status, state.since, state.opened = StageStatus.OPEN, self.timestamp, state.opened + 1
        state.begun = self.originator_version


class StageCompleted(Event):
    TOPIC: ClassVar[str] = "StageCompleted"
    SENTENCE: ClassVar[str] = "Stage completed: {stage}."

    stage: Stage

    def apply_to(self, case: Case) -> None:
        case.stages[self.stage].status, case.stages[self.stage].since = StageStatus.COMPLETED, self.timestamp


class StageReopened(Event):
    TOPIC: ClassVar[str] = "StageReopened"
    SENTENCE: ClassVar[str] = "Stage reopened: {stage} (cause: {cause:words})."

    stage: Stage
    cause: str

    def apply_to(self, case: Case) -> None:
        state = case.stages[self.stage]
        state.status, state.since, state.begun = StageStatus.REOPENED, self.timestamp, self.originator_version


# Holds


class HoldPlaced(Event):
    """A hold blocks the journey. Several causes share one public type, so that the type reveals none of them."""

    TOPIC: ClassVar[str] = "HoldPlaced"
    SENTENCE: ClassVar[str] = "{hold_type} hold placed; owner: {owner:words}; review due {review_by}."

    hold_id: UUID
    hold_type: HoldType
    owner: str
    review_by: AwareDatetime
    subtype: Annotated[str | None, Sealed(Compartment.PROT)] = None

    def apply_to(self, case: Case) -> None:
        case.holds[self.hold_id] = Hold(
            self.hold_id,
            self.hold_type,
            BLOCKS[self.hold_type],
            self.timestamp,
            self.review_by,
            self.owner,
            self.subtype,
            self.originator_version,
        )


class HoldReviewed(Event):
    TOPIC: ClassVar[str] = "HoldReviewed"
    SENTENCE: ClassVar[str] = "Hold reviewed: {decision:words}; next review due {review_by}."

    hold_id: UUID
    review_by: AwareDatetime
    unblock: tuple[Block, ...] = ()
    decision: Annotated[str | None, Sealed(Compartment.PROT)] = None

    def apply_to(self, case: Case) -> None:
        hold = case.holds[self.hold_id]
        hold.review_by, hold.blocks = self.review_by, hold.blocks - set(self.unblock)


class HoldLifted(Event):
    TOPIC: ClassVar[str] = "HoldLifted"
    SENTENCE: ClassVar[str] = "{hold_type} hold lifted by {by:actor}."

    hold_id: UUID
    hold_type: HoldType
    by: str

    def apply_to(self, case: Case) -> None:
        case.holds.pop(self.hold_id, None)


# Clearances


class ClearanceGranted(Event):
    TOPIC: ClassVar[str] = "ClearanceGranted"
    SENTENCE: ClassVar[str] = "Clearance granted: {kind}, valid from {valid_from} {end}."

    kind: ClearanceKind
    valid_from: AwareDatetime
    valid_until: AwareDatetime | None = None
    evidence: str = ""

    def apply_to(self, case: Case) -> None:
        case.clearances[self.kind] = Clearance(
            self.kind, ClearanceStatus.VALID, self.timestamp, self.valid_from, self.valid_until, self.evidence
        )

    def sentence_values(self) -> dict[str, Any]:
        end = f"until {date_and_time(self.valid_until)}" if self.valid_until else "without an end date"
        return {**self.facts, "end": end}


class ClearanceExpired(Event):
    """A clearance reached its end date. Recorded, so that a replay can explain why boarding was refused."""

    TOPIC: ClassVar[str] = "ClearanceExpired"
    SENTENCE: ClassVar[str] = "Clearance expired: {kind}."

    kind: ClearanceKind

    def apply_to(self, case: Case) -> None:
        _end(case, self.kind, ClearanceStatus.EXPIRED, self.timestamp, "EXPIRED")


class ClearanceRevoked(Event):
    TOPIC: ClassVar[str] = "ClearanceRevoked"
    SENTENCE: ClassVar[str] = "Clearance revoked: {kind} (cause: {cause:words})."

    kind: ClearanceKind
    cause: str

    def apply_to(self, case: Case) -> None:
        _end(case, self.kind, ClearanceStatus.REVOKED, self.timestamp, self.cause)


class ClearanceNotRequired(Event):
    TOPIC: ClassVar[str] = "ClearanceNotRequired"
    SENTENCE: ClassVar[str] = "Clearance not required: {kind} (reason: {cause:words})."

    kind: ClearanceKind
    cause: str

    def apply_to(self, case: Case) -> None:
        case.clearances[self.kind] = Clearance(
            self.kind, ClearanceStatus.NOT_REQUIRED, self.timestamp, self.timestamp, None, "", self.cause
        )


def _end(case: Case, kind: ClearanceKind, status: ClearanceStatus, at: datetime, cause: str) -> None:
    clearance = case.clearances[kind]
    clearance.status, clearance.since, clearance.cause = status, at, cause


class TravelGateEvaluated(Event):
    TOPIC: ClassVar[str] = "TravelGateEvaluated"
    SENTENCE: ClassVar[str] = "Travel gate at {checkpoint}: {result}."

    checkpoint: Checkpoint
    ok: bool
    failures: tuple[str, ...] = ()
    advised: str | None = None
    """Mark of the return advisory then in force for the place of return; ``None`` if there was none."""

    def sentence_values(self) -> dict[str, Any]:
        failures = "; ".join(map(code_in_words, self.failures))
        return {**self.facts, "result": "passed" if self.ok else f"not passed ({failures})"}


# Tasks


class TaskRaised(Event):
    """A task was created for a queue of staff, with a due date."""

    TOPIC: ClassVar[str] = "TaskRaised"
    SENTENCE: ClassVar[str] = "Task for {queue:words}: {task}; due {due}."

    task_id: UUID
    task: str
    queue: str
    due: AwareDatetime
    subject: str = ""
    next_review: AwareDatetime | None = None
    """Set when the task is the review of a hold: the date of the next review."""

    def apply_to(self, case: Case) -> None:
        if self.next_review is not None and (held := case.holds.get(UUID(self.subject))):
            held.review_by = self.next_review
        if self.task == ERASE_TASK:
            case.retention_told = True
        case.tasks[self.task_id] = Task(self.task_id, self.task, self.queue, self.due, self.timestamp)


class TaskCompleted(Event):
    TOPIC: ClassVar[str] = "TaskCompleted"
    SENTENCE: ClassVar[str] = "Task completed: {task} ({outcome:words})."

    task_id: UUID
    task: str
    outcome: Annotated[str | None, Sealed(Compartment.PROT)] = None

    def apply_to(self, case: Case) -> None:
        case.tasks.pop(self.task_id, None)
