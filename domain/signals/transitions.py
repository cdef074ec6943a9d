"""State transitions of an open referral: a signal is a step, out of order, or in conflict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.events.partner_report import (
    PartnerReport,
    ReferralAccepted,
    ReferralAcknowledged,
    ReferralCompleted,
    ReferralFailed,
    ReferralPaused,
    ReferralProgressReported,
    ReferralRejected,
    ReferralResumed,
    ReferralStarted,
)
from domain.kernel.context import Context
from domain.kernel.errors import Unroutable
from domain.kernel.event import Event
from domain.kernel.vocabulary import ReferralStatus, SignalType
from domain.referral.outcomes import OUTCOMES
from domain.signals.placed_signal import PlacedSignal, hold_if_grave, quarantine, record_superseded, report_fields

FLOW: Final = (SignalType.ACKNOWLEDGED, SignalType.ACCEPTED, SignalType.STARTED, SignalType.COMPLETED)

REACHED: Final[Mapping[ReferralStatus, int]] = {
    ReferralStatus.SENT: -1,
    ReferralStatus.ACKNOWLEDGED: 0,
    ReferralStatus.ACCEPTED: 1,
    ReferralStatus.IN_PROGRESS: 2,
    ReferralStatus.ON_HOLD: 2,
    ReferralStatus.COMPLETED: 3,
}  # fmt: skip

_OPEN: Final = frozenset(
    {
        ReferralStatus.SENT,
        ReferralStatus.ACKNOWLEDGED,
        ReferralStatus.ACCEPTED,
        ReferralStatus.IN_PROGRESS,
        ReferralStatus.ON_HOLD,
    }
)

ALLOWED: Final[Mapping[SignalType, frozenset[ReferralStatus]]] = {
    SignalType.ACKNOWLEDGED: frozenset({ReferralStatus.SENT}),
    SignalType.ACCEPTED: frozenset({ReferralStatus.SENT, ReferralStatus.ACKNOWLEDGED}),
    SignalType.REJECTED: frozenset({ReferralStatus.SENT, ReferralStatus.ACKNOWLEDGED, ReferralStatus.ACCEPTED}),
    SignalType.STARTED: frozenset({ReferralStatus.SENT, ReferralStatus.ACKNOWLEDGED, ReferralStatus.ACCEPTED}),
    SignalType.PROGRESS: frozenset(
        {ReferralStatus.SENT, ReferralStatus.ACKNOWLEDGED, ReferralStatus.ACCEPTED, ReferralStatus.IN_PROGRESS}
    ),
    SignalType.PAUSED: frozenset(
        {ReferralStatus.SENT, ReferralStatus.ACKNOWLEDGED, ReferralStatus.ACCEPTED, ReferralStatus.IN_PROGRESS}
    ),
    SignalType.RESUMED: frozenset({ReferralStatus.ON_HOLD}),
    SignalType.COMPLETED: _OPEN,
    SignalType.FAILED: _OPEN,
    SignalType.PARTNER_CANCELLED: _OPEN,
    SignalType.AMENDED: frozenset(),
    SignalType.RETRACTED: frozenset(),
}

ENDINGS: Final = frozenset(
    {
        SignalType.COMPLETED,
        SignalType.REJECTED,
        SignalType.FAILED,
        SignalType.PARTNER_CANCELLED,
        SignalType.AMENDED,
        SignalType.RETRACTED,
    }
)
"""Signals that are never only out of order: they conflict with what is known and are quarantined."""


def apply_to_open_referral(case: Case, placed: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """Applies a signal to an open referral, ignores one that is superseded, or quarantines one in conflict."""
    referral, signal = placed.referral, placed.signal
    if referral.status is ReferralStatus.DRAFT:
        raise Unroutable("NOT_SENT", "the referral has not been sent to the partner")
    if signal.signal_type is SignalType.PROGRESS and _stale(referral, signal.partner_seq):
        yield from record_superseded(case, placed, "STALE_SEQUENCE", ctx)
    elif referral.status in ALLOWED[effective := _effective_type(case, placed)] or _is_late_acceptance(placed):
        yield from _reported_before_departure(case, placed, ctx) or transition(case, placed, ctx)
    elif effective in ENDINGS:
        yield from quarantine(case, placed, "CONFLICTING_OUTCOME", ctx)
    else:
        yield from record_superseded(case, placed, "OUT_OF_ORDER_SUPERSEDED", ctx)


def _stale(referral: Referral, seq: int | None) -> bool:
    return seq is not None and referral.last_seq is not None and seq <= referral.last_seq


def _is_late_acceptance(placed: PlacedSignal) -> bool:
    """Returns whether the signal is an acceptance with an outcome code that later steps preceded.

    It is applied, because its outcome code would otherwise be lost.
    """
    accepts = placed.signal.signal_type is SignalType.ACCEPTED and placed.signal.outcome_code is not None
    return (
        accepts
        and placed.referral.status in (ReferralStatus.IN_PROGRESS, ReferralStatus.ON_HOLD)
        and not placed.referral.accepted
    )


def _reported_before_departure(case: Case, placed: PlacedSignal, ctx: Context) -> Iterator[Event] | None:
    """Quarantines an outcome that is only possible after departure when the person has not departed."""
    spec = OUTCOMES.get(placed.referral.asked_kind)
    if spec is None or case.departed or placed.signal.outcome_code not in spec.only_after_departure:
        return None
    return quarantine(case, placed, "BEFORE_DEPARTURE", ctx)


TRANSITIONS: Final[Mapping[SignalType, type[PartnerReport]]] = {
    SignalType.ACKNOWLEDGED: ReferralAcknowledged,
    SignalType.ACCEPTED: ReferralAccepted,
    SignalType.STARTED: ReferralStarted,
    SignalType.PROGRESS: ReferralProgressReported,
    SignalType.PAUSED: ReferralPaused,
    SignalType.RESUMED: ReferralResumed,
    SignalType.COMPLETED: ReferralCompleted,
    SignalType.REJECTED: ReferralRejected,
    SignalType.FAILED: ReferralFailed,
    SignalType.PARTNER_CANCELLED: ReferralFailed,
}


def transition(case: Case, placed: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """Records a step of the referral, and places the hold of a grave response."""
    effective = _effective_type(case, placed)
    extra = EXTRA_FIELDS.get(effective, _no_fields)(case, placed, ctx)
    yield TRANSITIONS[effective].model_validate({**report_fields(placed, ctx), **extra})
    if effective is not SignalType.COMPLETED:  # the stage decides what follows from a completion
        yield from hold_if_grave(case, placed, ctx)


def _effective_type(case: Case, placed: PlacedSignal) -> SignalType:
    """Returns the type of signal that takes effect.

    A completion with a non-final outcome is progress. A completion before departure, of a service that takes place
    after it, is an acceptance.
    """
    signal_type, spec = placed.signal.signal_type, OUTCOMES.get(placed.referral.asked_kind)
    if signal_type is not SignalType.COMPLETED or spec is None:
        return signal_type
    code = placed.signal.outcome_code
    if code in spec.non_final:
        return SignalType.PROGRESS
    promised = code in spec.promises or (code is None and bool(spec.promises))
    return SignalType.ACCEPTED if promised and not case.departed else SignalType.COMPLETED


ExtraFields = Callable[[Case, PlacedSignal, Context], dict[str, Any]]


def _no_fields(_case: Case, _placed: PlacedSignal, _ctx: Context) -> dict[str, Any]:
    return {}


def _inferred(_case: Case, placed: PlacedSignal, _ctx: Context) -> dict[str, Any]:
    """Returns the steps that the partner did not report but must have taken."""
    until = FLOW.index(placed.signal.signal_type)
    missing = [step.value for step in FLOW[1:until] if FLOW.index(step) > REACHED[placed.referral.status]]
    return {"inferred_steps": tuple(missing)}


def _next_step(step_name: str) -> ExtraFields:
    """Returns a function that extends the due date of the next step.

    A partner that was late with one step has for the next one at least the time to acknowledge.
    """

    def later(case: Case, placed: PlacedSignal, ctx: Context) -> dict[str, Any]:
        referral = placed.referral
        times = case.policy.pinned.answer(referral.kind, urgent=referral.urgent)
        due = referral.dues.get(step_name)
        at_least = ctx.directory.calendar(referral.partner_id).after(ctx.at, times.ack)
        return {"dues": {step_name: at_least}} if due is not None and due < at_least else {}

    return later


def _progress(case: Case, placed: PlacedSignal, ctx: Context) -> dict[str, Any]:
    """Returns the sequence number, and later due dates if the progress implies a longer completion.

    An example is a file that was sent to the capital.
    """
    referral, signal = placed.referral, placed.signal
    longer = case.policy.pinned.longer.get(referral.kind, {}).get(signal.outcome_code or "")
    fields: dict[str, Any] = {"partner_seq": signal.partner_seq}
    if longer is not None:
        due = ctx.directory.calendar(referral.partner_id).after(ctx.at, longer)
        fields["dues"] = {
            name: max(due, referral.dues[name]) for name in ("complete", "stands") if name in referral.dues
        }
    return fields


EXTRA_FIELDS: Final[Mapping[SignalType, ExtraFields]] = {
    SignalType.ACKNOWLEDGED: _next_step("accept"),
    SignalType.ACCEPTED: _next_step("start"),
    SignalType.STARTED: _inferred,
    SignalType.PROGRESS: _progress,
    SignalType.PAUSED: lambda _case, placed, _ctx: {"until": placed.signal.until},
    SignalType.RESUMED: lambda _case, placed, ctx: {"dues": placed.referral.dues_after(ctx.at)},
    SignalType.COMPLETED: _inferred,
    SignalType.PARTNER_CANCELLED: lambda _case, _placed, _ctx: {"why": "PARTNER_WITHDREW"},
}
