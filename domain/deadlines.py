"""Silence is a fact: every deadline a case has, and what is recorded when one passes.

A deadline is a moment, a kind and a subject; recording it makes it disappear. Deadlines are derived from the case,
never stored, so a rehydrated case has the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final, NamedTuple
from uuid import UUID

from domain.calendar import LIBYA, Calendar, Span, calendar_of
from domain.case import ERASE_TASK, Case, ClearanceExpired
from domain.event import Event
from domain.moment import Directory, Moment
from domain.policy import NEWEST
from domain.referral import (
    ESCALATED_TO,
    ReferralEscalated,
    ReferralOverdue,
    ReferralReminderSent,
)
from domain.referral_state import Referral
from domain.steps import task
from domain.words import ClearanceKind, ClearanceStatus, ReferralStatus

A_SECOND: Final = timedelta(seconds=1)
NO_END: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""A paper that never ends is often printed 9999-12-31; what ends later than this is not waited for."""


class Deadline(NamedTuple):
    """When (UTC), what kind, about what. Ordered by time."""

    due: datetime
    kind: str
    subject: str


def deadlines(case: Case, directory: Directory) -> list[Deadline]:
    """Every deadline the case has now, earliest first."""
    found = [*_retention(case)] if case.closed else [*_referrals(case, directory), *_holds(case), *_clearances(case)]
    return sorted(found)


def _referrals(case: Case, directory: Directory) -> Iterator[Deadline]:
    for referral in case.open_referrals():
        rung = next_rung(case, referral, directory)
        if rung is not None:
            yield Deadline(rung[1], "referral", f"{referral.referral_id}/{rung[0]}")


def next_rung(case: Case, referral: Referral, directory: Directory) -> tuple[str, datetime] | None:
    """The next step of the ladder for what the partner owes (domain.md 5.2); ``None`` if nothing is owed."""
    step = "pause" if referral.status is ReferralStatus.ON_HOLD else referral.awaited
    if step is None or referral.sent_at is None:
        return None
    partner = directory.get(referral.partner_id)
    calendar = partner.calendar if partner else calendar_of(None)
    return next(
        ((name, due) for name, due in ladder(case, referral, step, calendar) if name not in referral.told), None
    )


def ladder(case: Case, referral: Referral, step: str, calendar: Calendar) -> Iterator[tuple[str, datetime]]:
    """Reminder at half time; overdue and a reminder when due; then the levels; at last a person confirms expiry.

    A pause, and a silence that nobody confirms, come up again and again: no referral is ever waited for without end.
    """
    pinned, since = case.policy.pinned, referral.moved_at or referral.since
    if step == "pause":
        yield from _again(step, referral.paused_since or since, pinned.referral_review)
        return
    due = referral.dues[step]
    yield f"{step}.reminder-50", since + (due - since) / 2
    yield f"{step}.overdue", due
    yield f"{step}.reminder-100", due
    for level, span in pinned.escalations.items():
        sooner = pinned.urgent_first_escalation if referral.urgent and level == "L1" else span
        yield f"{step}.{level}", calendar.after(due, sooner)
    yield f"{step}.expiry", referral.dues["stands"]
    yield from _again(step, referral.dues["stands"], pinned.referral_review)


def _again(step: str, since: datetime, every: Span) -> Iterator[tuple[str, datetime]]:
    for time in count(1):
        since = LIBYA.after(since, every)
        yield f"{step}.again-{time}", since


def _holds(case: Case) -> Iterator[Deadline]:
    return (Deadline(hold.review_by, "hold", str(hold.hold_id)) for hold in case.holds.values())


def _clearances(case: Case) -> Iterator[Deadline]:
    """Valid to the second, inclusive: what ends at noon has expired a second later. After departure nothing expires."""
    if case.departed:
        return
    for clearance in case.clearances.values():
        ends = clearance.valid_until
        if clearance.status is ClearanceStatus.VALID and ends is not None and ends < NO_END:
            yield Deadline(ends + A_SECOND, "clearance", clearance.kind)


def _retention(case: Case) -> Iterator[Deadline]:
    if case.closed_at is not None and not case.retention_told:
        yield Deadline(LIBYA.after(case.closed_at, case.policy.pinned.retention), "retention", str(case.id))


# What is recorded when one has passed


def lapse(case: Case, deadline: Deadline, m: Moment) -> Iterator[Event]:
    yield from LAPSES[deadline.kind](case, deadline.subject, m)


def _referral_lapsed(case: Case, subject: str, m: Moment) -> Iterator[Event]:
    referral_id, _, rung = subject.partition("/")
    referral = case.referrals[UUID(referral_id)]
    step, _, what = rung.partition(".")
    base = {"referral_id": referral.referral_id, "kind": referral.kind, "partner_id": referral.partner_id, "rung": rung}
    if what.startswith("reminder"):
        yield ReferralReminderSent.model_validate({**base, "step": step, "due": referral.dues[step]})
    elif what == "overdue":
        yield ReferralOverdue.model_validate({**base, "which_due": step, "due": referral.dues[step]})
    elif what == "expiry" or what.startswith("again"):
        level, question = (
            ("L1", "ask about a paused referral") if step == "pause" else ("L3", "confirm that nobody answers")
        )
        yield ReferralEscalated.model_validate({**base, "level": level, "to": ESCALATED_TO[level]})
        yield task(question, "CASE_SUPERVISOR", m.policy.pinned.quarantine_review, m, subject=referral_id)
    else:
        yield ReferralEscalated.model_validate({**base, "level": what, "to": ESCALATED_TO[what]})


def _hold_lapsed(case: Case, subject: str, m: Moment) -> Iterator[Event]:
    found = case.holds[UUID(subject)]
    again = LIBYA.after(m.at, NEWEST.in_force.hold_review[found.type])
    raised = task("review a hold", found.owner, m.policy.pinned.quarantine_review, m, subject=subject)
    yield raised.model_copy(update={"next_review": again})


def _clearance_lapsed(_case: Case, subject: str, _m: Moment) -> Iterator[Event]:
    yield ClearanceExpired(kind=ClearanceKind(subject))


def _retention_lapsed(_case: Case, subject: str, m: Moment) -> Iterator[Event]:
    yield task(ERASE_TASK, "DATA_PROTECTION_FP", m.policy.pinned.quarantine_review, m, subject=subject)


LAPSES: Final[Mapping[str, Callable[[Case, str, Moment], Iterator[Event]]]] = {
    "referral": _referral_lapsed,
    "hold": _hold_lapsed,
    "clearance": _clearance_lapsed,
    "retention": _retention_lapsed,
}
