"""Escalation of a referral without a response: when each reminder and escalation is due, and what it records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from itertools import count
from typing import Any, Final, NamedTuple
from uuid import UUID

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.clearance.actions import task
from domain.events.escalation import (
    ESCALATED_TO,
    ReferralEscalated,
    ReferralOverdue,
    ReferralReminderHeldBack,
    ReferralReminderSent,
)
from domain.kernel.context import Context
from domain.kernel.directory import Directory
from domain.kernel.event import Event
from domain.kernel.policy import ResponseTimes
from domain.kernel.vocabulary import Priority, ReferralStatus
from domain.kernel.working_time import CLOCK, LIBYA, Calendar, Span
from domain.referral.requests import sending_blocked_by

NO_END: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""The latest date that a deadline may have. Documents without an expiry often state 9999-12-31."""

EscalationStep = tuple[str, datetime]
"""The name of a step, such as ``ack.overdue``, and when it is due (UTC)."""


def next_escalation_step(case: Case, referral: Referral, directory: Directory) -> EscalationStep | None:
    """Returns the next escalation step (rule ESCALATION.LADDER), or ``None`` if the partner owes nothing."""
    if referral.sent_at is None:
        return None
    sequences = _step_sequences(case, referral, directory.calendar(referral.partner_id))
    upcoming = [next((step for step in sequence if step[0] not in referral.told), None) for sequence in sequences]
    return min((step for step in upcoming if step is not None), key=lambda step: step[1], default=None)


def _step_sequences(case: Case, referral: Referral, calendar: Calendar) -> Iterator[Iterator[EscalationStep]]:
    """Returns a sequence of escalation steps for each step that the partner owes.

    Within a sequence no step is due before the previous one, or before the partner owed it.
    """
    if referral.status is ReferralStatus.ON_HOLD:
        yield _pause(case, referral)
        return
    since = referral.moved_at or referral.since
    for step in referral.owed:
        yield _not_before(since, escalation_steps(case, referral, step, calendar))


def _not_before(at: datetime, steps: Iterator[EscalationStep]) -> Iterator[EscalationStep]:
    for name, due in steps:
        at = max(at, due)
        yield name, at


def escalation_steps(case: Case, referral: Referral, step: str, calendar: Calendar) -> Iterator[EscalationStep]:
    """Returns the escalation steps for a step that the partner owes, in order.

    They are a reminder at half time, overdue and a reminder when due, the levels, and a task to confirm expiry. The
    start is escalated to the first level only, because the completion is owed in any case. The task is raised again
    at an interval until a person confirms expiry, so no referral waits without end.
    """
    since, due = referral.moved_at or referral.since, due_date(case, referral, step, calendar)
    yield f"{step}.reminder-50", since + (due - since) / 2
    yield f"{step}.overdue", due
    yield f"{step}.reminder-100", due
    for level, at in _levels(case, referral, due, calendar):
        if level == "L1" or step != "start":
            yield f"{step}.{level}", at
    if step == "start":
        return
    expires = due_date(case, referral, "stands", calendar)
    yield f"{step}.expiry", expires
    yield from _repeated(step, expires, case.policy.pinned.referral_review)


def due_date(case: Case, referral: Referral, step: str, calendar: Calendar) -> datetime:
    """Returns when a step is due (UTC): as pinned, or later because of holidays announced since. Never earlier.

    See rule CALENDAR.ANNOUNCED_HOLIDAY.
    """
    pinned = referral.dues[step]
    span = _response_times(case, referral).spans().get(step)
    if span is None or span.unit in CLOCK or step in referral.put_off or referral.sent_at is None:
        return pinned
    return max(pinned, calendar.after(referral.sent_at, span))


class StepDue(NamedTuple):
    """When a step is due (UTC), its pinned due date, and the holidays announced since that moved it."""

    at: datetime
    pinned: datetime
    closed: tuple[date, ...] = ()

    @property
    def moved(self) -> bool:
        return self.at != self.pinned


def due_date_and_reason(case: Case, referral: Referral, step: str, directory: Directory) -> StepDue | None:
    """Returns the due date in effect and the holidays that moved it, or ``None`` for a step without a due date."""
    if step not in referral.dues:
        return None
    calendar, pinned = directory.calendar(referral.partner_id), referral.dues[step]
    due = due_date(case, referral, step, calendar)
    closed = _closed_since(referral, due, directory) if due != pinned else ()
    return StepDue(due, pinned, closed)


def _closed_since(referral: Referral, due: datetime, directory: Directory) -> tuple[date, ...]:
    """Returns the announced holidays, during the response time, that had been working days of the partner."""
    published = directory.published(referral.partner_id)
    first, last = (at.astimezone(published.zone).date() for at in (referral.sent_at or due, due))
    announced = directory.holidays.get(published.country, frozenset())
    return tuple(sorted(day for day in announced if first <= day <= last and published.works(day)))


def _response_times(case: Case, referral: Referral) -> ResponseTimes:
    return case.policy.pinned.answer(referral.kind, urgent=referral.urgent)


URGENT: Final = frozenset({Priority.P1_LIFE_SAVING, Priority.P2_HIGHLY_VULNERABLE})


def _levels(case: Case, referral: Referral, due: datetime, calendar: Calendar) -> Iterator[EscalationStep]:
    """Returns the levels and when each is due: level 1 individually, level 2 in the daily digest.

    Where a life may be at risk no level waits for the digest, and only there level 3 exists (rule ESCALATION.LEVELS).
    """
    pinned = case.policy.pinned
    if _response_times(case, referral).life:
        yield from ((level, calendar.after(due, span)) for level, span in pinned.life_escalations.items())
        return
    sooner = referral.urgent or case.priority in URGENT
    yield "L1", calendar.after(due, pinned.urgent_first_escalation if sooner else pinned.escalations["L1"])
    yield "L2", LIBYA.next_time(calendar.after(due, pinned.escalations["L2"]), pinned.digest_at)
    if case.priority is Priority.P1_LIFE_SAVING:
        yield "L3", calendar.after(due, pinned.escalations["L3"])


def highest_level(case: Case, referral: Referral) -> str:
    """Returns the highest level to which this referral is escalated."""
    at_risk = _response_times(case, referral).life or case.priority is Priority.P1_LIFE_SAVING
    return "L3" if at_risk else "L2"


def _pause(case: Case, referral: Referral) -> Iterator[EscalationStep]:
    """Returns the steps of a pause: its review at an interval, and a question when its announced end has passed."""
    since, name = referral.paused_since or referral.since, f"pause-{referral.pauses}"
    every = case.policy.pinned.referral_review
    over = LIBYA.next_time(_day_ends(referral.paused_until), MORNING) if referral.paused_until else None
    if over is not None and over < LIBYA.after(since, every):
        yield f"{name}.over", max(over, since)
    yield from _repeated(name, since, every)


MORNING: Final = time(9, 0)


def _day_ends(day: date) -> datetime:
    return datetime.combine(min(day, NO_END.date()), time(23, 59, 59), LIBYA.zone)


def _repeated(step: str, since: datetime, every: Span) -> Iterator[EscalationStep]:
    for nth in count(1):
        since = LIBYA.after(since, every)
        yield f"{step}.again-{nth}", since


def record_escalation_step(case: Case, subject: str, ctx: Context) -> Iterator[Event]:
    """Records an escalation step that is due. ``subject`` is the referral's id and the step's name."""
    referral_id, _, step_name = subject.partition("/")
    referral = case.referrals[UUID(referral_id)]
    step, _, action = step_name.partition(".")
    base = {
        "referral_id": referral.referral_id,
        "kind": referral.kind,
        "partner_id": referral.partner_id,
        "rung": step_name,
    }
    if action.startswith("reminder"):
        reminder = ReferralReminderHeldBack if _reminder_blocked(case, referral) else ReferralReminderSent
        yield reminder.model_validate({**base, "step": step, "due": _due(case, referral, step, ctx)})
    elif action == "overdue":
        yield ReferralOverdue.model_validate({**base, "which_due": step, "due": _due(case, referral, step, ctx)})
    else:
        yield from _escalated(case, referral, action, base, ctx)


def _due(case: Case, referral: Referral, step: str, ctx: Context) -> datetime:
    return due_date(case, referral, step, ctx.directory.calendar(referral.partner_id))


def _reminder_blocked(case: Case, referral: Referral) -> bool:
    return referral.undelivered or sending_blocked_by(case, referral) is not None


LEVEL_TASKS: Final[Mapping[str, str]] = {
    "L1": "a partner does not answer",
    "L3": "a life may be at risk: nobody answers",
}
"""The task raised at a level, per referral. Level 2 raises no task: it is reported in the daily digest only."""


def _escalated(case: Case, referral: Referral, action: str, base: Mapping[str, Any], ctx: Context) -> Iterator[Event]:
    paused, pinned, subject = referral.status is ReferralStatus.ON_HOLD, ctx.policy.pinned, str(referral.referral_id)
    level = action if action in ESCALATED_TO else "L1" if paused else highest_level(case, referral)
    if action in ESCALATED_TO:
        task_text = LEVEL_TASKS.get(action)
    else:
        task_text = "ask about a paused referral" if paused else CONFIRM_NO_ANSWER
    yield ReferralEscalated.model_validate({**base, "level": level, "to": ESCALATED_TO[level]})
    if task_text is not None:
        queue = ESCALATED_TO["L3"] if action == "L3" else ESCALATED_TO["L1"]
        within = pinned.late_result_review if _response_times(case, referral).life else pinned.quarantine_review
        yield task(task_text, queue, within, ctx, subject=subject)


CONFIRM_NO_ANSWER: Final = "confirm that nobody answers"
