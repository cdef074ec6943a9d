"""What is kept of a signal, whatever becomes of it: the facts that hold it, and whether it was said before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.clearance.actions import hold, task
from domain.commands.signal import ReceivePartnerSignal
from domain.events.evidence import SignalRecordedOnBehalf
from domain.events.partner_report import (
    PartnerReport,
    ReferralAccepted,
    ReferralAcknowledged,
    ReferralCompleted,
    ReferralFailed,
    ReferralPaused,
    ReferralProgressReported,
    ReferralRejected,
    ReferralReportedAgain,
    ReferralResumed,
    ReferralStarted,
)
from domain.events.referral import DisclosureRecorded
from domain.events.signal import LateSignalRecorded, PartnerSignalIgnored, PartnerSignalQuarantined
from domain.kernel.context import Context
from domain.kernel.event import Event
from domain.kernel.vocabulary import HoldType, ReferralKind, SignalType
from domain.kernel.working_time import LIBYA
from domain.referral.compartments import CARE_KINDS, SLOTS, SplitPayload, placed
from domain.referral.outcomes import grave, schema_violation


def on_behalf(referral_id: UUID, signal: ReceivePartnerSignal, ctx: Context) -> Iterator[Event]:
    """Who put the signal in, when it was not the partner. The sender is known by the door, never by what is said."""
    if ctx.actor.startswith("staff:"):
        yield SignalRecordedOnBehalf(
            signal_id=signal.signal_id,
            referral_id=referral_id,
            partner_id=signal.partner_id,
            recorded_by=ctx.actor,
            sheet_id=signal.sheet_id,
        )


@dataclass(frozen=True)
class PlacedSignal:
    """A signal, placed: the referral it speaks of, what it says, and when it was received if that was earlier."""

    referral: Referral
    signal: ReceivePartnerSignal
    stripped: SplitPayload
    received_at: datetime | None = None

    @property
    def hold(self) -> HoldType | None:
        """What it holds by itself, whoever says it and however late."""
        return grave(self.referral.asked_kind, self.signal.outcome_code, self.signal.payload)


def request_review(case: Case, heard: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """What moves no referral any more and may be a danger all the same: held at once, and a person looks in hours."""
    yield from hold_if_grave(case, heard, ctx)
    queue = "MEDICAL_OFFICER" if heard.referral.asked_kind in CARE_KINDS else "PROTECTION_OFFICER"
    within = ctx.policy.pinned.late_result_review
    yield task("look at a late result", queue, within, ctx, subject=str(heard.signal.signal_id))


def hold_if_grave(case: Case, heard: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """A grave answer holds the journey from its receipt (rule SIGNAL.RESTRICTS_AT_ONCE), once."""
    kind = heard.hold
    if kind is not None and not case.closed and not case.departed and not case.holds_of(kind):
        yield hold(kind, ctx)


def record_superseded(case: Case, heard: PlacedSignal, cause: str, ctx: Context) -> Iterator[Event]:
    """It moves nothing any more. What is grave in it counts, however it comes (rule SIGNAL.RESTRICTS_AT_ONCE)."""
    yield ignored(heard, cause, ctx)
    if heard.hold is not None:
        yield from request_review(case, heard, ctx)


def unfit(kind: ReferralKind, signal: ReceivePartnerSignal, ctx: Context) -> str | None:
    """Where a signal breaks the schema of its kind, or reports as done what cannot have been done yet."""
    return schema_violation(kind, signal, LIBYA.after(ctx.at, ctx.policy.in_force.clock_ahead))


# What is kept of it


def report_fields(heard: PlacedSignal, ctx: Context) -> dict[str, Any]:
    """The fields that every fact about a signal has: whose, what, and by which clock."""
    referral, signal, stripped = heard.referral, heard.signal, heard.stripped
    answer: dict[str, Any] = {"payload": stripped.asked, "reason": signal.reason}
    if signal.attachments:
        answer["attachments"] = [each.model_dump() for each in signal.attachments]
    return {
        "referral_id": referral.referral_id,
        "kind": referral.kind,
        "signal_id": signal.signal_id,
        "occurred_at": signal.occurred_at,
        "skew_s": _skew(signal.occurred_at, heard.received_at or ctx.at, ctx),
        "received_at": heard.received_at,
        **placed(referral.asked_kind, answer, signal.outcome_code),
        **{SLOTS[seal]: {"stripped": part} for seal, part in stripped.beyond.items()},
    }


def sender_of(signal: ReceivePartnerSignal) -> dict[str, Any]:
    return {"partner_id": signal.partner_id, "signal_type": signal.signal_type}


def _skew(claimed: datetime, received: datetime, ctx: Context) -> int | None:
    """How far a partner's clock is off in seconds, if it is remarkably ahead or what it says is remarkably old."""
    in_force = ctx.policy.in_force
    ahead = claimed > LIBYA.after(received, in_force.clock_ahead)
    old = claimed < LIBYA.before(received, in_force.backdated)
    return int((claimed - received).total_seconds()) if ahead or old else None


def ignored(heard: PlacedSignal, cause: str, ctx: Context) -> PartnerSignalIgnored:
    signal = heard.signal
    return PartnerSignalIgnored.model_validate({**report_fields(heard, ctx), **sender_of(signal), "cause": cause})


def quarantine(case: Case, heard: PlacedSignal, cause: str, ctx: Context) -> Iterator[Event]:
    """Until a person has decided it counts against travelling, and never for it. The same doubt is not kept twice."""
    signal = heard.signal
    if _waits_already(case, heard):
        yield ignored(heard, "ALREADY_IN_QUARANTINE", ctx)
        return
    about = signal.subject_check
    yield PartnerSignalQuarantined.model_validate(
        {
            **report_fields(heard, ctx),
            **sender_of(signal),
            "cause": cause,
            "supersedes": signal.supersedes_signal_id,
            "flaw": unfit(heard.referral.asked_kind, signal, ctx),
            "about": about.model_dump() if about else None,
        }
    )
    near = case.seat is not None
    within = ctx.policy.pinned.late_result_review if near else ctx.policy.pinned.quarantine_review
    yield task("resolve a doubtful signal", "CASE_SUPERVISOR", within, ctx, subject=str(signal.signal_id))


def _waits_already(case: Case, heard: PlacedSignal) -> bool:
    waiting = heard.referral.disputed
    return any(
        told.signal_id in waiting
        and told.signal_type is heard.signal.signal_type
        and told.about == (heard.signal.subject_check.model_dump() if heard.signal.subject_check else None)
        and content(told) == content_of(heard)
        for told in case.every(PartnerSignalQuarantined)
        if told.referral_id == heard.referral.referral_id
    )


def not_asked_for(heard: PlacedSignal) -> Iterator[Event]:
    """A partner told more than its kind of referral asks for: recorded, and kept where it belongs.

    See rule SIGNAL.UNREQUESTED_DATA.
    """
    if heard.stripped.beyond:
        yield DisclosureRecorded(
            recipient=heard.signal.partner_id,
            direction="IN",
            referral_id=heard.referral.referral_id,
            stripped=True,
            not_asked_for=heard.stripped.names,
        )


# Whether it was said before

SAYS: Final[Mapping[type[PartnerReport], frozenset[SignalType]]] = {
    ReferralAcknowledged: frozenset({SignalType.ACKNOWLEDGED}),
    ReferralAccepted: frozenset({SignalType.ACCEPTED, SignalType.COMPLETED}),
    ReferralStarted: frozenset({SignalType.STARTED}),
    ReferralProgressReported: frozenset({SignalType.PROGRESS, SignalType.COMPLETED}),
    ReferralPaused: frozenset({SignalType.PAUSED}),
    ReferralResumed: frozenset({SignalType.RESUMED}),
    ReferralCompleted: frozenset({SignalType.COMPLETED}),
    ReferralReportedAgain: frozenset({SignalType.COMPLETED}),
    ReferralRejected: frozenset({SignalType.REJECTED}),
    ReferralFailed: frozenset({SignalType.FAILED, SignalType.PARTNER_CANCELLED}),
}
"""Which types of signal each fact may have come from."""

KEPT: Final = (PartnerSignalIgnored, PartnerSignalQuarantined, LateSignalRecorded)


def heard_before(case: Case, signal: ReceivePartnerSignal) -> list[PartnerReport]:
    """All that was recorded of signals of this very id."""
    facts: tuple[type[PartnerReport], ...] = (*SAYS, *KEPT)
    return [told for fact in facts for told in case.every(fact) if told.signal_id == signal.signal_id]


def says_the_same(before: PartnerReport, heard: PlacedSignal) -> bool:
    types = {before.signal_type} if isinstance(before, KEPT) else SAYS[type(before)]
    same_reason = before.told.get("reason") == heard.signal.reason
    return heard.signal.signal_type in types and same_reason and content(before) == content_of(heard)


def content(told: PartnerReport) -> str:
    return _canonical(told.outcome, told.content)


def content_of(heard: PlacedSignal) -> str:
    return _canonical(heard.signal.outcome_code, heard.signal.payload)


def _canonical(outcome: str | None, payload: Mapping[str, Any]) -> str:
    return json.dumps([outcome, dict(payload)], sort_keys=True, default=str)
