"""A signal with its referral: the events that record it, and whether it repeats an earlier signal."""

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
from domain.referral.compartments import MEDICAL_KINDS, SLOTS, SplitPayload, answer_fields
from domain.referral.outcomes import hold_required_by, schema_violation


def record_on_behalf(referral_id: UUID, signal: ReceivePartnerSignal, ctx: Context) -> Iterator[Event]:
    """Records that staff entered the signal on behalf of the partner.

    The sender is known from the authenticated actor, never from the content.
    """
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
    """A signal with its referral and its split payload. ``received_at`` (UTC) is set if it was received earlier."""

    referral: Referral
    signal: ReceivePartnerSignal
    split: SplitPayload
    received_at: datetime | None = None

    @property
    def hold(self) -> HoldType | None:
        """The hold that the signal places automatically, whichever partner sends it and however late."""
        return hold_required_by(self.referral.asked_kind, self.signal.outcome_code, self.signal.payload)


def request_review(case: Case, placed: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """Places the hold of a grave signal and raises a task to review it within hours. The referral does not change."""
    yield from hold_if_grave(case, placed, ctx)
    queue = "MEDICAL_OFFICER" if placed.referral.asked_kind in MEDICAL_KINDS else "PROTECTION_OFFICER"
    within = ctx.policy.pinned.late_result_review
    yield task("look at a late result", queue, within, ctx, subject=str(placed.signal.signal_id))


def hold_if_grave(case: Case, placed: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """Places the hold of a grave response on receipt, unless it is in place (rule SIGNAL.RESTRICTS_AT_ONCE)."""
    kind = placed.hold
    if kind is not None and not case.closed and not case.departed and not case.holds_of(kind):
        yield hold(kind, ctx)


def record_superseded(case: Case, placed: PlacedSignal, cause: str, ctx: Context) -> Iterator[Event]:
    """Ignores a superseded signal. A grave response still takes effect (rule SIGNAL.RESTRICTS_AT_ONCE)."""
    yield ignored(placed, cause, ctx)
    if placed.hold is not None:
        yield from request_review(case, placed, ctx)


def violation_of(kind: ReferralKind, signal: ReceivePartnerSignal, ctx: Context) -> str | None:
    """Returns the fields in which a signal violates the schema of its kind or reports a future action, or ``None``."""
    return schema_violation(kind, signal, LIBYA.after(ctx.at, ctx.policy.in_force.clock_ahead))


# Recording


def report_fields(placed: PlacedSignal, ctx: Context) -> dict[str, Any]:
    """Returns the fields that every event about a signal has: its referral, its content and its times."""
    referral, signal, split = placed.referral, placed.signal, placed.split
    answer: dict[str, Any] = {"payload": split.requested, "reason": signal.reason}
    if signal.attachments:
        answer["attachments"] = [each.model_dump() for each in signal.attachments]
    return {
        "referral_id": referral.referral_id,
        "kind": referral.kind,
        "signal_id": signal.signal_id,
        "occurred_at": signal.occurred_at,
        "skew_s": _skew(signal.occurred_at, placed.received_at or ctx.at, ctx),
        "received_at": placed.received_at,
        **answer_fields(referral.asked_kind, answer, signal.outcome_code),
        **{SLOTS[compartment]: {"stripped": part} for compartment, part in split.unrequested.items()},
    }


def sender_of(signal: ReceivePartnerSignal) -> dict[str, Any]:
    """Returns the fields that name the partner and the type of signal."""
    return {"partner_id": signal.partner_id, "signal_type": signal.signal_type}


def _skew(claimed: datetime, received: datetime, ctx: Context) -> int | None:
    """Returns how far the claimed time is from the receipt, in seconds, if it is far ahead or far in the past."""
    in_force = ctx.policy.in_force
    ahead = claimed > LIBYA.after(received, in_force.clock_ahead)
    old = claimed < LIBYA.before(received, in_force.backdated)
    return int((claimed - received).total_seconds()) if ahead or old else None


def ignored(placed: PlacedSignal, cause: str, ctx: Context) -> PartnerSignalIgnored:
    """Returns the event that records an ignored signal and its cause."""
    signal = placed.signal
    return PartnerSignalIgnored.model_validate({**report_fields(placed, ctx), **sender_of(signal), "cause": cause})


def quarantine(case: Case, placed: PlacedSignal, cause: str, ctx: Context) -> Iterator[Event]:
    """Quarantines a signal until a person decides. Until then it counts against travel, never for it.

    A signal that repeats one in quarantine is ignored.
    """
    signal = placed.signal
    if _is_quarantined_already(case, placed):
        yield ignored(placed, "ALREADY_IN_QUARANTINE", ctx)
        return
    about = signal.subject_check
    yield PartnerSignalQuarantined.model_validate(
        {
            **report_fields(placed, ctx),
            **sender_of(signal),
            "cause": cause,
            "supersedes": signal.supersedes_signal_id,
            "flaw": violation_of(placed.referral.asked_kind, signal, ctx),
            "about": about.model_dump() if about else None,
        }
    )
    near = case.seat is not None
    within = ctx.policy.pinned.late_result_review if near else ctx.policy.pinned.quarantine_review
    yield task("resolve a doubtful signal", "CASE_SUPERVISOR", within, ctx, subject=str(signal.signal_id))


def _is_quarantined_already(case: Case, placed: PlacedSignal) -> bool:
    waiting = placed.referral.disputed
    return any(
        report.signal_id in waiting
        and report.signal_type is placed.signal.signal_type
        and report.about == (placed.signal.subject_check.model_dump() if placed.signal.subject_check else None)
        and content(report) == content_of(placed)
        for report in case.every(PartnerSignalQuarantined)
        if report.referral_id == placed.referral.referral_id
    )


def record_unrequested_data(placed: PlacedSignal) -> Iterator[Event]:
    """Records that a partner sent more data than its kind of referral requests.

    See rule SIGNAL.UNREQUESTED_DATA.
    """
    if placed.split.unrequested:
        yield DisclosureRecorded(
            recipient=placed.signal.partner_id,
            direction="IN",
            referral_id=placed.referral.referral_id,
            stripped=True,
            not_asked_for=placed.split.names,
        )


# Repetitions

SIGNAL_TYPES_OF: Final[Mapping[type[PartnerReport], frozenset[SignalType]]] = {
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
"""The types of signal that each event may record."""

UNAPPLIED: Final = (PartnerSignalIgnored, PartnerSignalQuarantined, LateSignalRecorded)


def recorded_reports(case: Case, signal: ReceivePartnerSignal) -> list[PartnerReport]:
    """Returns the events that record signals with this id."""
    classes: tuple[type[PartnerReport], ...] = (*SIGNAL_TYPES_OF, *UNAPPLIED)
    return [report for each in classes for report in case.every(each) if report.signal_id == signal.signal_id]


def repeats(report: PartnerReport, placed: PlacedSignal) -> bool:
    """Returns whether a signal has the same type, reason and content as a recorded one."""
    types = {report.signal_type} if isinstance(report, UNAPPLIED) else SIGNAL_TYPES_OF[type(report)]
    same_reason = report.visible_answer.get("reason") == placed.signal.reason
    return placed.signal.signal_type in types and same_reason and content(report) == content_of(placed)


def content(report: PartnerReport) -> str:
    """Returns the outcome and payload of a recorded report, in canonical form."""
    return _canonical(report.outcome, report.content)


def content_of(placed: PlacedSignal) -> str:
    """Returns the outcome and payload of a signal, in canonical form."""
    return _canonical(placed.signal.outcome_code, placed.signal.payload)


def _canonical(outcome: str | None, payload: Mapping[str, Any]) -> str:
    return json.dumps([outcome, dict(payload)], sort_keys=True, default=str)
