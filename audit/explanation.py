"""Why a case stands where it stands: what it waits for, since when, because of which event, and what happens next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from audit.as_of_now import at_present
from audit.case_view import moved, when
from audit.history import sentence
from audit.replay import Pool, Readable, ReplayedEvent, ReplayedStream, iso_utc, replay
from domain.call_request import CallRequest
from domain.call_request import deadlines as deadlines_of_contact
from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.decider import STAGES, about_to_open, next_wake, requirements_by_stage
from domain.events.case import CaseClosed, ClearanceExpired, ClearanceRevoked, HoldPlaced, StageOpened, StageReopened
from domain.events.referral import ReferralSent
from domain.kernel.context import Context
from domain.kernel.deadline import Deadline
from domain.kernel.directory import Directory
from domain.kernel.event import Event
from domain.kernel.message import MESSAGES
from domain.kernel.vocabulary import Stage
from domain.movement import Movement, deadlines
from domain.partner_desk import PartnerDesk
from domain.referral.escalation import due_date_and_reason
from domain.stages.remedies import COMMANDS_FOR
from domain.stages.stage import Requirement
from store.crypto.keys import KeyStore


async def why(
    pool: Pool, keys: KeyStore, stream_id: UUID, *, readable: Readable = None, directory: Directory | None = None
) -> dict[str, Any]:
    """What a stream waits for and why, as ``awda case why --json`` prints it. Raises ``NoSuchStream``."""
    folded = await replay(pool, keys, stream_id, readable=readable)
    return explained(folded, await at_present(pool, stream_id, directory=directory))


def explained(folded: ReplayedStream, ctx: Context) -> dict[str, Any]:
    """A folded stream, explained."""
    if isinstance(folded.state, Movement):
        return _movement(folded, folded.state)
    if isinstance(folded.state, PartnerDesk):
        return _desk(folded)
    if isinstance(folded.state, CallRequest):
        return _contact(folded, folded.state)
    return _case(folded, folded.state, ctx)


def _case(folded: ReplayedStream, case: Case, ctx: Context) -> dict[str, Any]:
    return {
        "case_number": folded.head.number,
        "phase": case.phase,
        "waiting_on": [_awaited(folded, case, stage, lack, ctx) for stage, lack in requirements_by_stage(case, ctx)],
        "holds": [_held(folded, hold_id) for hold_id in case.holds],
        "next": _next(case, ctx),
        "last": _because(folded.entries[-1] if folded.entries else None),
        "closed": _because(_latest(folded, lambda event: isinstance(event, CaseClosed))) if case.closed else None,
    }


def _awaited(folded: ReplayedStream, case: Case, stage: Stage, lack: Requirement, ctx: Context) -> dict[str, Any]:
    asked = _asked(case, stage, lack)
    cause = _cause(folded, stage, lack, asked)
    since = cause.event.timestamp if cause and cause.event else lack.since
    due = due_date_and_reason(case, asked, asked.awaited or "", ctx.directory) if asked else None
    return {
        "code": lack.code,
        "stage": stage.value,
        "who": asked.partner_id if asked else lack.who,
        "rule": lack.rule,
        "since": when(since),
        "due": when(due.at if due else None if asked else lack.due),
        "moved": moved(due),
        "settled_by": [{"message": name, "to": MESSAGES[name].TO} for name in COMMANDS_FOR.get(lack.code, ())],
        "because": _because(cause),
    }


def _asked(case: Case, stage: Stage, lack: Requirement) -> Referral | None:
    """The open referral that will answer: the one whose kind the code names before any other of the stage."""
    kinds = {kind for kind, _ in STAGES[stage].answers}
    owed = [referral for referral in case.open_referrals() if referral.asked_kind in kinds and referral.awaited]
    named = [referral for referral in owed if referral.asked_kind in lack.code]
    by_hand = lack.code.partition(".")[0] in ("STAFF", "PERSON", "MOVEMENT")
    return next(iter(named or ([] if by_hand else owed)), None)


def _cause(folded: ReplayedStream, stage: Stage, lack: Requirement, asked: Referral | None) -> ReplayedEvent | None:
    """The event since which it is awaited: one the stage names, the question, a permission's end, or the opening."""
    if asked is not None:
        return _latest(folded, lambda event: isinstance(event, ReferralSent) and event.referral_id == asked.referral_id)
    if lack.after:
        return _latest(folded, lambda event: lack.after == event.TOPIC)
    code = lack.code.partition(".")[2]
    ended = _latest(
        folded, lambda event: isinstance(event, (ClearanceExpired, ClearanceRevoked)) and event.kind == code
    )
    return ended or _latest(
        folded, lambda event: isinstance(event, (StageOpened, StageReopened)) and event.stage is stage
    )


def _held(folded: ReplayedStream, hold_id: UUID) -> dict[str, Any]:
    hold = folded.state.holds[hold_id]  # type: ignore[union-attr]  # only cases have holds
    placed = _latest(folded, lambda event: isinstance(event, HoldPlaced) and event.hold_id == hold_id)
    return {
        "type": hold.type.value,
        "owner": hold.owner,
        "since": iso_utc(hold.since),
        "review_by": iso_utc(hold.review_by),
        "because": _because(placed),
    }


def _latest(folded: ReplayedStream, fits: Callable[[Event], bool]) -> ReplayedEvent | None:
    return next((entry for entry in reversed(folded.entries) if entry.event and fits(entry.event)), None)


def _because(entry: ReplayedEvent | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {
        "version": entry.row.version,
        "sentence": sentence(entry),
        "happened_at": iso_utc(entry.effective_at),
        "policy": entry.metadata.policy,
    }


# What happens next


def _next(case: Case, ctx: Context) -> dict[str, Any] | None:
    """What happens if nobody does anything: a stage that may open, or the earliest deadline."""
    opening = about_to_open(case, ctx)
    if opening:
        return _step("open", ctx.at, f"{' and '.join(opening)} will be opened")
    due = next_wake(case, ctx)
    return _step(due.kind, due.due, AHEAD[due.kind](case, due)) if due else None


def _step(kind: str, at: datetime, what: str) -> dict[str, Any]:
    return {"kind": kind, "at": iso_utc(at), "what": what}


def _referral_ahead(case: Case, due: Deadline) -> str:
    referral_id, _, rung = due.subject.partition("/")
    referral, (step, _, what) = case.referrals[UUID(referral_id)], rung.partition(".")
    owed = OWED.get(step, step)
    told = {"overdue": "counts as overdue", "expiry": "is put to a person, who may confirm that nobody answers"}
    if step.startswith("pause"):
        return f"a person is asked about the pause of {referral.kind} by {referral.partner_id}"
    if what.startswith("reminder"):
        return f"{referral.partner_id} is reminded of {owed} of {referral.kind}"
    return f"{owed} of {referral.kind} by {referral.partner_id} {told.get(what, f'is escalated ({what})')}"


OWED: Final[Mapping[str, str]] = {
    "ack": "an acknowledgement",
    "accept": "a yes or no",
    "start": "the beginning",
    "complete": "the completion",
}


def _ending_ahead(case: Case, due: Deadline) -> str:
    referral = case.referrals[UUID(due.subject)]
    return f"{referral.partner_id} is told, with its ordinary letters, that {referral.kind} has ended"


def _hold_ahead(case: Case, due: Deadline) -> str:
    hold = case.holds[UUID(due.subject)]
    return f"{hold.owner} is asked to review the {hold.type} hold"


AHEAD: Final[Mapping[str, Callable[[Case, Deadline], str]]] = {
    "referral": _referral_ahead,
    "ending": _ending_ahead,
    "hold": _hold_ahead,
    "clearance": lambda _case, due: f"{due.subject} expires, and its stage is taken up again",
    "retention": lambda _case, _due: "the retention period ends; erasure is put to the data protection focal point",
    "wake": lambda _case, due: f"{due.subject} is looked at again",
}


def _movement(folded: ReplayedStream, flight: Movement) -> dict[str, Any]:
    due = min(deadlines(flight), default=None)
    return {
        "number": folded.head.number,
        "status": flight.status,
        "waiting_on": [],
        "next": _step("freeze", due.due, "the manifest is frozen") if due else None,
        "last": _because(folded.entries[-1] if folded.entries else None),
    }


def _desk(folded: ReplayedStream) -> dict[str, Any]:
    """A desk waits for nobody."""
    last = _because(folded.entries[-1] if folded.entries else None)
    return {"number": folded.head.number, "waiting_on": [], "next": None, "last": last}


def _contact(folded: ReplayedStream, asked: CallRequest) -> dict[str, Any]:
    due = min(deadlines_of_contact(asked), default=None)
    return {
        "number": folded.head.number,
        "status": asked.status,
        "waiting_on": [],
        "next": _step("contact", due.due, "nobody has called, and the supervisor is told") if due else None,
        "last": _because(folded.entries[-1] if folded.entries else None),
    }
