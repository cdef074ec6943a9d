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

# Notes, people, tasks


def assign_case_worker(_case: Case, order: AssignCaseWorker, _ctx: Context) -> Iterator[Event]:
    yield CaseWorkerAssigned(user=order.user)


def set_priority(_case: Case, order: SetPriority, _ctx: Context) -> Iterator[Event]:
    yield CasePriorityAssigned(priority=order.priority, basis=order.basis)


def add_note(_case: Case, report: AddNote, _ctx: Context) -> Iterator[Event]:
    yield NoteAdded(note=report.note)


def record_contact_attempt(_case: Case, report: RecordContactAttempt, _ctx: Context) -> Iterator[Event]:
    yield ContactAttempted(channel=report.channel, result=report.result)


def inform_person(_case: Case, report: InformPerson, _ctx: Context) -> Iterator[Event]:
    yield PersonInformed(topic=report.topic, channel=report.channel, language=report.language)


def complete_task(case: Case, report: CompleteTask, _ctx: Context) -> Iterator[Event]:
    found = case.tasks.get(report.task_id)
    if found is None:
        raise Rejected("TASK.UNKNOWN", f"no open task {report.task_id} on this case", field="task_id")
    yield TaskCompleted(task_id=found.task_id, task=found.task, outcome=report.outcome)
