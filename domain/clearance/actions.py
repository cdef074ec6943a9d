"""Actions that many rules share: grant and revoke a clearance, place a hold, raise a task."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from domain.case.aggregate import Case, Clearance
from domain.events.case import ClearanceGranted, ClearanceRevoked, HoldPlaced, TaskRaised
from domain.kernel.context import Context
from domain.kernel.event import Event
from domain.kernel.holds import OWNER_OF
from domain.kernel.vocabulary import ClearanceKind, ClearanceStatus, HoldType, Phase
from domain.kernel.working_time import LIBYA, Span

PRINTED = frozenset({ClearanceKind.TRAVEL_DOCUMENT, ClearanceKind.EXIT_PERMIT})
"""Documents that state their own expiry; the policy's validity applies only if they do not."""


def hold(hold_type: HoldType, ctx: Context, *, subtype: str | None = None) -> HoldPlaced:
    """Returns the event that places a hold with its owner and review date. A true subtype is sealed."""
    return HoldPlaced(
        hold_id=ctx.new_id(f"hold:{hold_type}"),
        hold_type=hold_type,
        owner=OWNER_OF[hold_type],
        review_by=LIBYA.after(ctx.at, ctx.policy.in_force.hold_review[hold_type]),
        subtype=subtype,
    )


def grant(
    kind: ClearanceKind,
    ctx: Context,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    evidence: str = "",
) -> ClearanceGranted:
    """Returns the event that grants a clearance, valid no longer than the policy in force allows.

    ``since`` is the sender's date: validity counts from the earlier of it and the receipt (rule CLEARANCE.VALIDITY).
    """
    window = ctx.policy.in_force.validity[kind]
    longest = LIBYA.after(min(since or ctx.at, ctx.at), window) if window else None
    ends = [end for end in (until, longest) if end is not None]
    if until is not None and kind in PRINTED:
        ends = [until]
    return ClearanceGranted(kind=kind, valid_from=ctx.at, valid_until=min(ends, default=None), evidence=evidence)


def grant_on_answer(
    kind: ClearanceKind, ctx: Context, *, since: datetime, until: datetime | None = None, referral_id: UUID, queue: str
) -> Iterator[Event]:
    """Grants a clearance because of a partner's answer. An answer that had expired on receipt grants nothing."""
    granted = grant(kind, ctx, since=since, until=until, evidence=str(referral_id))
    if granted.valid_until is None or granted.valid_until > ctx.at:
        yield granted
    else:
        within = ctx.policy.pinned.quarantine_review
        yield task("look at an answer that was out of date", queue, within, ctx, subject=str(referral_id))


def revoke(case: Case, kind: ClearanceKind, cause: str) -> Iterator[Event]:
    """Revokes a clearance that is in force; records nothing otherwise."""
    clearance = case.clearances.get(kind)
    if clearance is not None and clearance.status is ClearanceStatus.VALID:
        yield ClearanceRevoked(kind=kind, cause=cause)


def task(what: str, queue: str, within: Span, ctx: Context, *, subject: str = "") -> TaskRaised:
    """Returns the event that raises a task, due in Libya's working time."""
    return TaskRaised(
        task_id=ctx.new_id(f"task:{what}:{subject}"),
        task=what,
        queue=queue,
        due=LIBYA.after(ctx.at, within),
        subject=subject,
    )


def soon(case: Case, ctx: Context) -> Span:
    """Returns the time for a review that may stop the journey: a day, and hours once the manifest is frozen."""
    pinned = ctx.policy.pinned
    near = case.phase in (Phase.DEPARTURE, Phase.TRANSIT)
    return pinned.late_result_review if near else pinned.withdrawal_contact


def granted_by(case: Case, referral_id: UUID) -> list[Clearance]:
    """Returns the clearances that rest on the answer to one referral."""
    return [clearance for clearance in case.clearances.values() if clearance.evidence == str(referral_id)]


def end_of(case: Case, granted: list[Clearance], cause: str) -> Iterator[Event]:
    """Revokes these clearances, except one that was granted again since on other grounds."""
    for clearance in granted:
        if case.clearances[clearance.kind] is clearance:
            yield from revoke(case, clearance.kind, cause)
