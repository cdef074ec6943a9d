"""Where a case or a movement stands, in the shape that other programs rely on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from audit.as_of_now import at_present
from audit.disclosures import disclosures
from audit.replay import Folded, Pool, Readable, fold, moment
from domain.call_request import Contact
from domain.case.aggregate import Case, Clearance, Hold
from domain.case.referral import Referral
from domain.decider import awaited, next_wake
from domain.kernel.context import Moment
from domain.kernel.directory import Directory
from domain.movement import Movement, deadlines
from domain.partner_desk import PartnerDesk
from domain.referral.escalation import Due, due_and_why
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
    """A stream as ``awda case show --json`` (or ``awda movement show``) prints it. Raises ``NoSuchStream``."""
    folded = await fold(pool, keys, stream_id, as_of=as_of, known_at=known_at, to=to, readable=readable)
    m = await at_present(pool, stream_id, at=as_of or known_at, directory=directory)
    return await shown(pool, folded, m, at=as_of or known_at)


async def shown(pool: Pool, folded: Folded, m: Moment, *, at: datetime | None = None) -> dict[str, Any]:
    """A folded stream as it is shown; ``at`` is the moment (UTC) that is looked back to."""
    if isinstance(folded.state, Case):
        return {**_case(folded, folded.state, m), "disclosures": await disclosures(pool, folded, at)}
    return _other(folded, folded.state)


def _other(folded: Folded, state: Movement | PartnerDesk | Contact) -> dict[str, Any]:
    if isinstance(state, Movement):
        return _movement(folded, state)
    if isinstance(state, PartnerDesk):
        return _desk(folded, state)
    return _contact(folded, state)


def _case(folded: Folded, case: Case, m: Moment) -> dict[str, Any]:
    waiting, wake = awaited(case, m), next_wake(case, m)
    return {
        "case_number": folded.head.number,
        "case_id": str(case.id),
        "phase": case.phase,
        "priority": case.priority,
        "country_of_return": case.country_of_return,
        "stages": {stage.value: state.status.value for stage, state in case.stages.items()},
        "holds": [_hold(hold) for hold in case.holds.values()],
        "clearances": [_clearance(clearance) for clearance in case.clearances.values()],
        "referrals": [_referral(case, referral, m) for referral in case.referrals.values()],
        "tasks": [_task(case, task_id) for task_id in case.tasks],
        "movement": case.seat.movement if case.seat else None,
        "waiting_on": waiting[0].code if waiting else "",
        "next_deadline": when(wake.due if wake else None),
        "version": folded.entries[-1].row.version if folded.entries else 0,
    }


def _hold(hold: Hold) -> dict[str, Any]:
    return {
        "hold_id": str(hold.hold_id),
        "type": hold.type.value,
        "blocks": sorted(hold.blocks),
        "since": moment(hold.since),
        "review_by": moment(hold.review_by),
        "owner": hold.owner,
    }


def _clearance(clearance: Clearance) -> dict[str, Any]:
    return {
        "kind": clearance.kind.value,
        "status": clearance.status.value,
        "since": moment(clearance.since),
        "valid_from": moment(clearance.valid_from),
        "valid_until": when(clearance.valid_until),
        "cause": clearance.cause,
    }


def _referral(case: Case, referral: Referral, m: Moment) -> dict[str, Any]:
    owed = referral.awaited
    due = due_and_why(case, referral, owed, m.directory) if owed else None
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


def moved(due: Due | None) -> dict[str, Any] | None:
    """Why a due date is not the one that was pinned when the partner was asked; ``None`` if it is."""
    if due is None or not due.moved:
        return None
    return {"from": moment(due.pinned), "closed": [day.isoformat() for day in due.closed]}


def _task(case: Case, task_id: UUID) -> dict[str, Any]:
    task = case.tasks[task_id]
    return {"task_id": str(task_id), "task": task.task, "queue": task.queue, "due": moment(task.due)}


def _movement(folded: Folded, flight: Movement) -> dict[str, Any]:
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
        "version": folded.entries[-1].row.version if folded.entries else 0,
    }


def _desk(folded: Folded, desk: PartnerDesk) -> dict[str, Any]:
    return {
        "number": folded.head.number,
        "decided": {str(message_id): decision for message_id, decision in desk.decided.items()},
        "version": folded.entries[-1].row.version if folded.entries else 0,
    }


def _contact(folded: Folded, asked: Contact) -> dict[str, Any]:
    return {
        "number": folded.head.number,
        "status": asked.status,
        "channel": asked.channel,
        "language": asked.language,
        "given_name": asked.given_name,
        "phone": asked.phone,
        "note": asked.note,
        "since": when(asked.since),
        "due": when(asked.due),
        "overdue": asked.overdue,
        "tries": asked.tries,
        "outcome": asked.outcome,
        "version": folded.entries[-1].row.version if folded.entries else 0,
    }


def when(at: datetime | None) -> str | None:
    """A time that may not be set."""
    return moment(at) if at else None
