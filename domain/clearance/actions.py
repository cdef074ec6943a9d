"""Steps that many rules share: grant and revoke a clearance, place a hold, raise a task."""

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
"""Papers that say themselves until when they hold; the policy's window serves only where they are silent."""


def hold(hold_type: HoldType, ctx: Context, *, subtype: str | None = None) -> HoldPlaced:
    """A hold with an owner and a review date. Its true subtype, where it has one, is sealed."""
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
    """A clearance that starts no earlier than its receipt and lasts no longer than the policy in force.

    ``since`` is the sender's date: validity counts from the earlier of it and the receipt (domain.md 00, 3).
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
    """A clearance that rests on a partner's answer. One that had lapsed before it came grants nothing."""
    granted = grant(kind, ctx, since=since, until=until, evidence=str(referral_id))
    if granted.valid_until is None or granted.valid_until > ctx.at:
        yield granted
    else:
        within = ctx.policy.pinned.quarantine_review
        yield task("look at an answer that was out of date", queue, within, ctx, subject=str(referral_id))


def revoke(case: Case, kind: ClearanceKind, cause: str) -> Iterator[Event]:
    """End a permission that is in force; nothing to end, nothing recorded."""
    clearance = case.clearances.get(kind)
    if clearance is not None and clearance.status is ClearanceStatus.VALID:
        yield ClearanceRevoked(kind=kind, cause=cause)


def task(what: str, queue: str, within: Span, ctx: Context, *, subject: str = "") -> TaskRaised:
    """Something a person must do, due in Libya's working time."""
    return TaskRaised(
        task_id=ctx.new_id(f"task:{what}:{subject}"),
        task=what,
        queue=queue,
        due=LIBYA.after(ctx.at, within),
        subject=subject,
    )


def soon(case: Case, ctx: Context) -> Span:
    """Within what time somebody must look who may stop the journey: a day, and hours from the frozen manifest on."""
    pinned = ctx.policy.pinned
    near = case.phase in (Phase.DEPARTURE, Phase.TRANSIT)
    return pinned.late_result_review if near else pinned.withdrawal_contact


def granted_by(case: Case, referral_id: UUID) -> list[Clearance]:
    """The permissions that rest on what one referral brought."""
    return [clearance for clearance in case.clearances.values() if clearance.evidence == str(referral_id)]


def end_of(case: Case, granted: list[Clearance], cause: str) -> Iterator[Event]:
    """End these permissions; one that has been granted anew since is another one, and stays."""
    for clearance in granted:
        if case.clearances[clearance.kind] is clearance:
            yield from revoke(case, clearance.kind, cause)
