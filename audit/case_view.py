"""The state of a case, a movement, a partner desk or a call request, as published JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from audit.as_of_now import at_present
from audit.disclosures import disclosures
from audit.replay import Pool, Readable, ReplayedStream, iso_utc, replay
from domain.call_request import CallRequest
from domain.case.aggregate import Case, Clearance, Hold
from domain.case.referral import Referral
from domain.decider import next_wake, requirements
from domain.kernel.context import Context
from domain.kernel.directory import Directory
from domain.movement import Movement, deadlines
from domain.partner_desk import PartnerDesk
from domain.referral.escalation import StepDue, due_date_and_reason
from store.crypto.keys import KeyStore


async def show(
    pool: Pool,
    keys: KeyStore,
    stream_id: UUID,
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    to: int | None = None,
    readable: Readable = None,
    directory: Directory | None = None,
) -> dict[str, Any]:
    """Returns a stream as ``awda case show --json`` (or ``awda movement show``) prints it.

    ``as_of``, ``known_at`` (UTC) and ``to`` (a version) limit the events that count. Raises ``UnknownStreamError``.
    """
    folded = await replay(pool, keys, stream_id, as_of=as_of, known_at=known_at, to=to, readable=readable)
    ctx = await at_present(pool, stream_id, at=as_of or known_at, directory=directory)
    return await shown(pool, folded, ctx, at=as_of or known_at)


async def shown(pool: Pool, folded: ReplayedStream, ctx: Context, *, at: datetime | None = None) -> dict[str, Any]:
    """Returns a replayed stream as published JSON; ``at`` is the time (UTC) of a look back, if it is one."""
    if isinstance(folded.state, Case):
        return {**_case(folded, folded.state, ctx), "disclosures": await disclosures(pool, folded, at)}
    return _other(folded, folded.state)


def _other(folded: ReplayedStream, state: Movement | PartnerDesk | CallRequest) -> dict[str, Any]:
    if isinstance(state, Movement):
        return _movement(folded, state)
    if isinstance(state, PartnerDesk):
        return _desk(folded, state)
    return _call_request(folded, state)


def _case(folded: ReplayedStream, case: Case, ctx: Context) -> dict[str, Any]:
    waiting, wake = requirements(case, ctx), next_wake(case, ctx)
    return {
        "case_number": folded.head.number,
        "case_id": str(case.id),
        "phase": case.phase,
        "priority": case.priority,
        "country_of_return": case.country_of_return,
        "stages": {stage.value: state.status.value for stage, state in case.stages.items()},
        "holds": [_hold(hold) for hold in case.holds.values()],
        "clearances": [_clearance(clearance) for clearance in case.clearances.values()],
        "referrals": [_referral(case, referral, ctx) for referral in case.referrals.values()],
        "tasks": [_task(case, task_id) for task_id in case.tasks],
        "movement": case.seat.movement if case.seat else None,
        "waiting_on": waiting[0].code if waiting else "",
        "next_deadline": when(wake.due if wake else None),
        "version": folded.entries[-1].version if folded.entries else 0,
    }


def _hold(hold: Hold) -> dict[str, Any]:
    return {
        "hold_id": str(hold.hold_id),
        "type": hold.type.value,
        "blocks": sorted(hold.blocks),
        "since": iso_utc(hold.since),
        "review_by": iso_utc(hold.review_by),
        "owner": hold.owner,
    }


def _clearance(clearance: Clearance) -> dict[str, Any]:
    return {
        "kind": clearance.kind.value,
        "status": clearance.status.value,
        "since": iso_utc(clearance.since),
        "valid_from": iso_utc(clearance.valid_from),
        "valid_until": when(clearance.valid_until),
        "cause": clearance.cause,
    }


def _referral(case: Case, referral: Referral, ctx: Context) -> dict[str, Any]:
    owed = referral.awaited
    due = due_date_and_reason(case, referral, owed, ctx.directory) if owed else None
    return {
        "referral_id": str(referral.referral_id),
        "kind": referral.kind.value,
        "partner_id": referral.partner_id,
        "status": referral.status.value,
        "timeliness": referral.timeliness.value,
        "sent_at": when(referral.sent_at),
        "owed": owed,
        "due": when(due.at if due else None),
        "moved": moved(due),
        "in_doubt": len(referral.disputed),
    }


def moved(due: StepDue | None) -> dict[str, Any] | None:
    """Returns why a due date differs from the one pinned when the referral was sent; ``None`` if it does not."""
    if due is None or not due.moved:
        return None
    return {"from": iso_utc(due.pinned), "closed": [day.isoformat() for day in due.closed]}


def _task(case: Case, task_id: UUID) -> dict[str, Any]:
    task = case.tasks[task_id]
    return {"task_id": str(task_id), "task": task.task, "queue": task.queue, "due": iso_utc(task.due)}


def _movement(folded: ReplayedStream, flight: Movement) -> dict[str, Any]:
    due = min(deadlines(flight), default=None)
    planned: Mapping[str, Any] = {"std": when(flight.std), "sta": when(flight.sta), "atd": when(flight.atd)}
    return {
        "number": folded.head.number,
        "movement_id": str(flight.id),
        "status": flight.status,
        "origin": flight.origin,
        "destination": flight.destination,
        **planned,
        "capacity": flight.capacity,
        "seats": {str(case_id): status for case_id, status in flight.seats.items()},
        "waiting": [str(case_id) for case_id in flight.waiting],
        "next_deadline": when(due.due if due else None),
        "version": folded.entries[-1].version if folded.entries else 0,
    }


def _desk(folded: ReplayedStream, desk: PartnerDesk) -> dict[str, Any]:
    return {
        "number": folded.head.number,
        "decided": {str(message_id): decision for message_id, decision in desk.decided.items()},
        "version": folded.entries[-1].version if folded.entries else 0,
    }


def _call_request(folded: ReplayedStream, request: CallRequest) -> dict[str, Any]:
    return {
        "number": folded.head.number,
        "status": request.status,
        "channel": request.channel,
        "language": request.language,
        "given_name": request.given_name,
        "phone": request.phone,
        "note": request.note,
        "since": when(request.since),
        "due": when(request.due),
        "overdue": request.overdue,
        "tries": request.tries,
        "outcome": request.outcome,
        "version": folded.entries[-1].version if folded.entries else 0,
    }


def when(at: datetime | None) -> str | None:
    """Returns a time as ISO 8601 (UTC), or ``None`` if it is not set."""
    return iso_utc(at) if at else None
