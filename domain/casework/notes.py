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
from domain.kernel.context import Moment
from domain.kernel.errors import Refused
from domain.kernel.event import Event

# Notes, people, tasks


def assign(_case: Case, order: AssignCaseWorker, _m: Moment) -> Iterator[Event]:
    yield CaseWorkerAssigned(user=order.user)


def prioritise(_case: Case, order: SetPriority, _m: Moment) -> Iterator[Event]:
    yield CasePriorityAssigned(priority=order.priority, basis=order.basis)


def note(_case: Case, report: AddNote, _m: Moment) -> Iterator[Event]:
    yield NoteAdded(note=report.note)


def contact(_case: Case, report: RecordContactAttempt, _m: Moment) -> Iterator[Event]:
    yield ContactAttempted(channel=report.channel, result=report.result)


def inform(_case: Case, report: InformPerson, _m: Moment) -> Iterator[Event]:
    yield PersonInformed(topic=report.topic, channel=report.channel, language=report.language)


def finish_task(case: Case, report: CompleteTask, _m: Moment) -> Iterator[Event]:
    found = case.tasks.get(report.task_id)
    if found is None:
        raise Refused("TASK.UNKNOWN", f"no open task {report.task_id} on this case", field="task_id")
    yield TaskCompleted(task_id=found.task_id, task=found.task, outcome=report.outcome)
