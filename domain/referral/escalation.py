"""The escalation ladder of a referral: when reminders and escalations are due, and what each one records."""

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
from domain.referral.requests import why_not_send

NO_END: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""A paper that never ends is often printed 9999-12-31; what ends later than this is not waited for."""

EscalationStep = tuple[str, datetime]


def next_escalation_step(case: Case, referral: Referral, directory: Directory) -> EscalationStep | None:
    """The next step of the ladder for what the partner owes (rule ESCALATION.LADDER); ``None`` if nothing is owed."""
    if referral.sent_at is None:
        return None
    ladders = _ladders(case, referral, directory.calendar(referral.partner_id))
    waiting = [
        next((rung for rung in escalation_steps if rung[0] not in referral.told), None) for escalation_steps in ladders
    ]
    return min((rung for rung in waiting if rung is not None), key=lambda rung: rung[1], default=None)


def _ladders(case: Case, referral: Referral, calendar: Calendar) -> Iterator[Iterator[EscalationStep]]:
    """One for each step that is owed. Nothing of a ladder comes before what comes before it, or before it was owed."""
    if referral.status is ReferralStatus.ON_HOLD:
        yield _pause(case, referral)
        return
    since = referral.moved_at or referral.since
    for step in referral.owed:
        yield _not_before(since, escalation_steps(case, referral, step, calendar))


def _not_before(at: datetime, rungs: Iterator[EscalationStep]) -> Iterator[EscalationStep]:
    for name, due in rungs:
        at = max(at, due)
        yield name, at


def escalation_steps(case: Case, referral: Referral, step: str, calendar: Calendar) -> Iterator[EscalationStep]:
    """Reminder at half time; overdue and a reminder when due; then the levels; at last a person confirms expiry.

    Having begun is asked for less: whoever never says so owes the completion all the same. A silence that nobody
    confirms comes up again and again: no referral is ever waited for without end.
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
    stands = due_date(case, referral, "stands", calendar)
    yield f"{step}.expiry", stands
    yield from _again(step, stands, case.policy.pinned.referral_review)


def due_date(case: Case, referral: Referral, step: str, calendar: Calendar) -> datetime:
    """When a step is due (UTC): as pinned, or later by holidays announced since. Never earlier.

    See rule CALENDAR.ANNOUNCED_HOLIDAY.
    """
    pinned = referral.dues[step]
    span = _answer(case, referral).spans().get(step)
    if span is None or span.unit in CLOCK or step in referral.put_off or referral.sent_at is None:
        return pinned
    return max(pinned, calendar.after(referral.sent_at, span))


class StepDue(NamedTuple):
    """When a step is due (UTC), when it was due as pinned, and the days in between that were announced since."""

    at: datetime
    pinned: datetime
    closed: tuple[date, ...] = ()

    @property
    def moved(self) -> bool:
        return self.at != self.pinned


def due_date_and_reason(case: Case, referral: Referral, step: str, directory: Directory) -> StepDue | None:
    """The due date that counts, and the holidays that moved it; ``None`` for a step without one."""
    if step not in referral.dues:
        return None
    calendar, pinned = directory.calendar(referral.partner_id), referral.dues[step]
    due = due_date(case, referral, step, calendar)
    closed = _closed_since(referral, due, directory) if due != pinned else ()
    return StepDue(due, pinned, closed)


def _closed_since(referral: Referral, due: datetime, directory: Directory) -> tuple[date, ...]:
    """Days announced since on which the partner would have worked while it was asked."""
    published = directory.published(referral.partner_id)
    begun, ends = (at.astimezone(published.zone).date() for at in (referral.sent_at or due, due))
    announced = directory.holidays.get(published.country, frozenset())
    return tuple(sorted(day for day in announced if begun <= day <= ends and published.works(day)))


def _answer(case: Case, referral: Referral) -> ResponseTimes:
    return case.policy.pinned.answer(referral.kind, urgent=referral.urgent)


URGENT: Final = frozenset({Priority.P1_LIFE_SAVING, Priority.P2_HIGHLY_VULNERABLE})


def _levels(case: Case, referral: Referral, due: datetime, calendar: Calendar) -> Iterator[EscalationStep]:
    """Who is told, and when: the first level at once, what is above it in the day's digest (rule ESCALATION.LEVELS).

    Where a life is at risk nobody waits for a digest, and only there the top is told at all.
    """
    pinned = case.policy.pinned
    if _answer(case, referral).life:
        yield from ((level, calendar.after(due, span)) for level, span in pinned.life_escalations.items())
        return
    sooner = referral.urgent or case.priority in URGENT
    yield "L1", calendar.after(due, pinned.urgent_first_escalation if sooner else pinned.escalations["L1"])
    yield "L2", LIBYA.next_time(calendar.after(due, pinned.escalations["L2"]), pinned.digest_at)
    if case.priority is Priority.P1_LIFE_SAVING:
        yield "L3", calendar.after(due, pinned.escalations["L3"])


def top_level(case: Case, referral: Referral) -> str:
    """How far the silence of this referral is ever escalated."""
    at_risk = _answer(case, referral).life or case.priority is Priority.P1_LIFE_SAVING
    return "L3" if at_risk else "L2"


def _pause(case: Case, referral: Referral) -> Iterator[EscalationStep]:
    """A pause stops what is owed, not the review of the pause; when it was to be over, it is asked about at once."""
    since, name = referral.paused_since or referral.since, f"pause-{referral.pauses}"
    every = case.policy.pinned.referral_review
    over = LIBYA.next_time(_day_ends(referral.paused_until), MORNING) if referral.paused_until else None
    if over is not None and over < LIBYA.after(since, every):
        yield f"{name}.over", max(over, since)
    yield from _again(name, since, every)


MORNING: Final = time(9, 0)


def _day_ends(day: date) -> datetime:
    return datetime.combine(min(day, NO_END.date()), time(23, 59, 59), LIBYA.zone)


def _again(step: str, since: datetime, every: Span) -> Iterator[EscalationStep]:
    for nth in count(1):
        since = LIBYA.after(since, every)
        yield f"{step}.again-{nth}", since


def _referral_lapsed(case: Case, subject: str, ctx: Context) -> Iterator[Event]:
    referral_id, _, rung = subject.partition("/")
    referral = case.referrals[UUID(referral_id)]
    step, _, what = rung.partition(".")
    base = {"referral_id": referral.referral_id, "kind": referral.kind, "partner_id": referral.partner_id, "rung": rung}
    if what.startswith("reminder"):
        reminder = ReferralReminderHeldBack if _may_not_be_reminded(case, referral) else ReferralReminderSent
        yield reminder.model_validate({**base, "step": step, "due": _due(case, referral, step, ctx)})
    elif what == "overdue":
        yield ReferralOverdue.model_validate({**base, "which_due": step, "due": _due(case, referral, step, ctx)})
    else:
        yield from _escalated(case, referral, what, base, ctx)


def _due(case: Case, referral: Referral, step: str, ctx: Context) -> datetime:
    return due_date(case, referral, step, ctx.directory.calendar(referral.partner_id))


def _may_not_be_reminded(case: Case, referral: Referral) -> bool:
    return referral.undelivered or why_not_send(case, referral) is not None


TASKS: Final[Mapping[str, str]] = {"L1": "a partner does not answer", "L3": "a life may be at risk: nobody answers"}
"""What a person is asked for at a level, per referral; the second level is told in a day's digest only."""


def _escalated(case: Case, referral: Referral, what: str, base: Mapping[str, Any], ctx: Context) -> Iterator[Event]:
    paused, pinned, subject = referral.status is ReferralStatus.ON_HOLD, ctx.policy.pinned, str(referral.referral_id)
    level = what if what in ESCALATED_TO else "L1" if paused else top_level(case, referral)
    asked = TASKS.get(what) if what in ESCALATED_TO else "ask about a paused referral" if paused else NOBODY
    yield ReferralEscalated.model_validate({**base, "level": level, "to": ESCALATED_TO[level]})
    if asked is not None:
        queue = ESCALATED_TO["L3"] if what == "L3" else ESCALATED_TO["L1"]
        within = pinned.late_result_review if _answer(case, referral).life else pinned.quarantine_review
        yield task(asked, queue, within, ctx, subject=subject)


NOBODY: Final = "confirm that nobody answers"
