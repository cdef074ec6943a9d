"""Why a case waits: what it waits for, since when, because of which event, and what Awda does next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from audit.as_of_now import at_present
from audit.case_view import moved, when
from audit.history import sentence
from audit.replay import Pool, Readable, ReplayedEvent, ReplayedStream, iso_utc, replay
from audit.rule_book import rule_book
from domain.call_request import CallRequest
from domain.call_request import deadlines as call_request_deadlines
from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.decider import STAGES, about_to_open, next_wake, requirements_by_stage
from domain.events.case import CaseClosed, ClearanceExpired, ClearanceRevoked, HoldPlaced, StageOpened, StageReopened
from domain.events.escalation import ESCALATED_TO
from domain.events.referral import ReferralSent
from domain.kernel.context import Context
from domain.kernel.deadline import Deadline
from domain.kernel.directory import Directory
from domain.kernel.event import Event
from domain.kernel.labels import label, words
from domain.kernel.message import MESSAGES
from domain.kernel.vocabulary import ClearanceKind, Stage
from domain.movement import Movement, deadlines
from domain.partner_desk import PartnerDesk
from domain.referral.escalation import due_date_and_reason
from domain.stages.remedies import COMMANDS_FOR
from domain.stages.stage import Requirement
from store.crypto.keys import KeyStore


async def why(
    pool: Pool, keys: KeyStore, stream_id: UUID, *, readable: Readable = None, directory: Directory | None = None
) -> dict[str, Any]:
    """Returns what a stream waits for and why, as ``awda case why --json`` prints it. Raises ``UnknownStreamError``."""
    folded = await replay(pool, keys, stream_id, readable=readable)
    return explained(folded, await at_present(pool, stream_id, directory=directory))


def explained(folded: ReplayedStream, ctx: Context) -> dict[str, Any]:
    """Returns the explanation of a replayed stream."""
    if isinstance(folded.state, Movement):
        return _movement(folded, folded.state)
    if isinstance(folded.state, PartnerDesk):
        return _desk(folded)
    if isinstance(folded.state, CallRequest):
        return _call_request(folded, folded.state)
    return _case(folded, folded.state, ctx)


def _case(folded: ReplayedStream, case: Case, ctx: Context) -> dict[str, Any]:
    return {
        "case_number": folded.head.number,
        "phase": case.phase,
        "waiting_on": [_awaited(folded, case, stage, each, ctx) for stage, each in requirements_by_stage(case, ctx)],
        "holds": [_held(folded, hold_id) for hold_id in case.holds],
        "next": _next(case, ctx),
        "last": _because(folded.entries[-1] if folded.entries else None),
        "closed": _because(_latest(folded, lambda event: isinstance(event, CaseClosed))) if case.closed else None,
    }


def _awaited(
    folded: ReplayedStream, case: Case, stage: Stage, requirement: Requirement, ctx: Context
) -> dict[str, Any]:
    referral = _referral_for(case, stage, requirement)
    cause = _cause(folded, stage, requirement, referral)
    since = cause.event.timestamp if cause and cause.event else requirement.since
    due = due_date_and_reason(case, referral, referral.awaited or "", ctx.directory) if referral else None
    return {
        "code": requirement.code,
        "stage": stage.value,
        "who": referral.partner_id if referral else requirement.who,
        "rule": requirement.rule,
        "rule_title": rule.title if (rule := rule_book().find(requirement.rule)) else None,
        "since": when(since),
        "due": when(due.at if due else None if referral else requirement.due),
        "moved": moved(due),
        "settled_by": [{"message": name, "to": MESSAGES[name].TO} for name in COMMANDS_FOR.get(requirement.code, ())],
        "because": _because(cause),
    }


def _referral_for(case: Case, stage: Stage, requirement: Requirement) -> Referral | None:
    """Returns the open referral that can meet the requirement, preferably one of the kind that its code names."""
    kinds = {kind for kind, _ in STAGES[stage].answers}
    awaited = [referral for referral in case.open_referrals() if referral.asked_kind in kinds and referral.awaited]
    named = [referral for referral in awaited if referral.asked_kind in requirement.code]
    by_staff = requirement.code.partition(".")[0] in ("STAFF", "PERSON", "MOVEMENT")
    return next(iter(named or ([] if by_staff else awaited)), None)


def _cause(
    folded: ReplayedStream, stage: Stage, requirement: Requirement, referral: Referral | None
) -> ReplayedEvent | None:
    """Returns the event since which the requirement is open.

    It is the sending of the referral, the event that the stage names, the end of a clearance, or the stage's opening.
    """
    if referral is not None:
        return _latest(
            folded, lambda event: isinstance(event, ReferralSent) and event.referral_id == referral.referral_id
        )
    if requirement.after:
        return _latest(folded, lambda event: requirement.after == event.TOPIC)
    code = requirement.code.partition(".")[2]
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
        "version": entry.version,
        "sentence": sentence(entry),
        "happened_at": iso_utc(entry.effective_at),
        "policy": entry.metadata.policy,
    }


# What Awda does next


def _next(case: Case, ctx: Context) -> dict[str, Any] | None:
    """Returns what Awda does next without further messages: opens a stage, or acts on the earliest deadline."""
    opening = about_to_open(case, ctx)
    if opening:
        return _step("open", ctx.at, f"Awda opens {' and '.join(_title(stage) for stage in opening)}")
    due = next_wake(case, ctx)
    return _step(due.kind, due.due, NEXT_STEPS[due.kind](case, due)) if due else None


def _title(stage: str) -> str:
    return f"the {label(Stage(stage))} stage"


def _step(kind: str, at: datetime, what: str) -> dict[str, Any]:
    return {"kind": kind, "at": iso_utc(at), "what": what}


def _next_escalation(case: Case, due: Deadline) -> str:
    referral_id, _, name = due.subject.partition("/")
    referral, (step, _, action) = case.referrals[UUID(referral_id)], name.partition(".")
    kind, partner = f"the {label(referral.kind)} referral", referral.partner_id
    supervisor = words(ESCALATED_TO["L1"])
    if step.startswith("pause"):
        return f"Awda asks the {supervisor} to review why {partner} has paused {kind}"
    to_do, done = PARTNER_STEPS.get(step, ("answer", "answered"))
    if action.startswith("reminder"):
        return f"Awda reminds {partner} to {to_do} {kind}"
    if action == "overdue":
        return f"{kind} becomes overdue because {partner} has not {done} it"
    if action in ESCALATED_TO:
        return f"Awda informs the {words(ESCALATED_TO[action])} that {partner} has not {done} {kind}"
    return f"Awda asks the {supervisor} to confirm that {partner} does not respond to {kind}"


PARTNER_STEPS: Final[Mapping[str, tuple[str, str]]] = {
    "ack": ("acknowledge", "acknowledged"),
    "accept": ("accept or decline", "accepted or declined"),
    "start": ("start", "started"),
    "complete": ("complete", "completed"),
}
"""What a partner must do in each step of a referral: the infinitive and the participle."""


def _next_letter(case: Case, due: Deadline) -> str:
    referral = case.referrals[UUID(due.subject)]
    kind = f"the {label(referral.kind)} referral"
    return f"Awda notifies {referral.partner_id} in its daily letters that {kind} has ended"


def _next_review(case: Case, due: Deadline) -> str:
    hold = case.holds[UUID(due.subject)]
    return f"Awda asks the {words(hold.owner)} to review the {label(hold.type)} hold"


NEXT_STEPS: Final[Mapping[str, Callable[[Case, Deadline], str]]] = {
    "referral": _next_escalation,
    "ending": _next_letter,
    "hold": _next_review,
    "clearance": lambda _case, due: f"the {label(ClearanceKind(due.subject))} clearance expires and its stage resumes",
    "retention": lambda _case, _due: (
        "the retention period ends and Awda asks the data protection focal point to decide on erasure"
    ),
    "wake": lambda _case, due: f"Awda re-evaluates {_title(due.subject)}",
}
"""What Awda does at a deadline, by its kind."""


def _movement(folded: ReplayedStream, flight: Movement) -> dict[str, Any]:
    due = min(deadlines(flight), default=None)
    return {
        "number": folded.head.number,
        "status": flight.status,
        "waiting_on": [],
        "next": _step("freeze", due.due, "Awda freezes the manifest") if due else None,
        "last": _because(folded.entries[-1] if folded.entries else None),
    }


def _desk(folded: ReplayedStream) -> dict[str, Any]:
    """Returns the explanation of a partner desk, which never waits for anything."""
    last = _because(folded.entries[-1] if folded.entries else None)
    return {"number": folded.head.number, "waiting_on": [], "next": None, "last": last}


def _call_request(folded: ReplayedStream, request: CallRequest) -> dict[str, Any]:
    due = min(call_request_deadlines(request), default=None)
    overdue = "the call request becomes overdue and Awda informs the case supervisor"
    return {
        "number": folded.head.number,
        "status": request.status,
        "waiting_on": [],
        "next": _step("contact", due.due, overdue) if due else None,
        "last": _because(folded.entries[-1] if folded.entries else None),
    }
