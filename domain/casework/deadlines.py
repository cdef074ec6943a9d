"""All deadlines of a case, and the events that are recorded when one passes.

A deadline is a time, a kind and a subject; it no longer exists once its passing is recorded. Deadlines are derived from
the case and never stored, so a rehydrated case has the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from domain.case.aggregate import ERASE_TASK, Case
from domain.clearance.actions import task
from domain.events.case import ClearanceExpired
from domain.kernel.context import Context
from domain.kernel.deadline import Deadline
from domain.kernel.directory import Directory
from domain.kernel.event import Event
from domain.kernel.policy import NEWEST
from domain.kernel.vocabulary import ClearanceKind, ClearanceStatus
from domain.kernel.working_time import LIBYA
from domain.referral.escalation import NO_END, next_escalation_step, record_escalation_step
from domain.referral.requests import cancellation_notice

A_SECOND: Final = timedelta(seconds=1)


def deadlines(case: Case, directory: Directory) -> list[Deadline]:
    """Returns all current deadlines of the case, earliest first."""
    found = [*_retention(case)] if case.closed else [*_referrals(case, directory), *_holds(case), *_clearances(case)]
    return sorted([*found, *_endings(case)])


def _endings(case: Case) -> Iterator[Deadline]:
    """Yields when partners are notified, with the scheduled messages, that a referral ended; also after closure."""
    for referral in case.referrals.values():
        if referral.tell_end_at is not None:
            yield Deadline(referral.tell_end_at, "ending", str(referral.referral_id))


def _referrals(case: Case, directory: Directory) -> Iterator[Deadline]:
    for referral in case.open_referrals():
        step = next_escalation_step(case, referral, directory)
        if step is not None:
            yield Deadline(step[1], "referral", f"{referral.referral_id}/{step[0]}")


def _holds(case: Case) -> Iterator[Deadline]:
    return (Deadline(hold.review_by, "hold", str(hold.hold_id)) for hold in case.holds.values())


def _clearances(case: Case) -> Iterator[Deadline]:
    """Yields the expiry of clearances, one second after their last valid second. None expires after departure."""
    if case.departed:
        return
    for clearance in case.clearances.values():
        ends = clearance.valid_until
        if clearance.status is ClearanceStatus.VALID and ends is not None and ends < NO_END:
            yield Deadline(ends + A_SECOND, "clearance", clearance.kind)


def _retention(case: Case) -> Iterator[Deadline]:
    """Yields the end of the retention period of a closed case (rule RETENTION.PERIOD)."""
    if case.closed_at is not None and not case.retention_told:
        yield Deadline(LIBYA.after(case.closed_at, case.policy.pinned.retention), "retention", str(case.id))


# Passed deadlines


def lapse(case: Case, deadline: Deadline, ctx: Context) -> Iterator[Event]:
    """Yields the events that follow from a passed deadline."""
    yield from LAPSES[deadline.kind](case, deadline.subject, ctx)


def _end_notified(case: Case, subject: str, _ctx: Context) -> Iterator[Event]:
    yield cancellation_notice(case.referrals[UUID(subject)])


def _hold_lapsed(case: Case, subject: str, ctx: Context) -> Iterator[Event]:
    found = case.holds[UUID(subject)]
    again = LIBYA.after(ctx.at, NEWEST.in_force.hold_review[found.type])
    raised = task("review a hold", found.owner, ctx.policy.pinned.quarantine_review, ctx, subject=subject)
    yield raised.model_copy(update={"next_review": again})


def _clearance_lapsed(_case: Case, subject: str, _ctx: Context) -> Iterator[Event]:
    yield ClearanceExpired(kind=ClearanceKind(subject))


def _retention_lapsed(_case: Case, subject: str, ctx: Context) -> Iterator[Event]:
    yield task(ERASE_TASK, "DATA_PROTECTION_FP", ctx.policy.pinned.quarantine_review, ctx, subject=subject)


LAPSES: Final[Mapping[str, Callable[[Case, str, Context], Iterator[Event]]]] = {
    "referral": record_escalation_step,
    "ending": _end_notified,
    "hold": _hold_lapsed,
    "clearance": _clearance_lapsed,
    "retention": _retention_lapsed,
}
