"""Handlers for assignment, priority, notes, contact attempts, information given and tasks."""

from __future__ import annotations

from collections.abc import Iterator

from domain.case.aggregate import Case
from domain.commands.case import (
    AddNote,
    AssignCaseWorker,
    CompleteTask,
    InformPerson,
    RecordContactAttempt,
    SetPriority,
)
from domain.events.case import (
    CasePriorityAssigned,
    CaseWorkerAssigned,
    ContactAttempted,
    NoteAdded,
    PersonInformed,
    TaskCompleted,
)
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event


def assign_case_worker(_case: Case, command: AssignCaseWorker, _ctx: Context) -> Iterator[Event]:
    yield CaseWorkerAssigned(user=command.user)


def set_priority(_case: Case, command: SetPriority, _ctx: Context) -> Iterator[Event]:
    yield CasePriorityAssigned(priority=command.priority, basis=command.basis)


def add_note(_case: Case, command: AddNote, _ctx: Context) -> Iterator[Event]:
    yield NoteAdded(note=command.note)


def record_contact_attempt(_case: Case, command: RecordContactAttempt, _ctx: Context) -> Iterator[Event]:
    yield ContactAttempted(channel=command.channel, result=command.result)


def inform_person(_case: Case, command: InformPerson, _ctx: Context) -> Iterator[Event]:
    yield PersonInformed(topic=command.topic, channel=command.channel, language=command.language)


def complete_task(case: Case, command: CompleteTask, _ctx: Context) -> Iterator[Event]:
    found = case.tasks.get(command.task_id)
    if found is None:
        raise Rejected(
            "TASK.UNKNOWN",
            f"this case has no open task {command.task_id}; check the tasks of the case",
            field="task_id",
        )
    yield TaskCompleted(task_id=found.task_id, task=found.task, outcome=command.outcome)
