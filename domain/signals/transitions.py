"""A signal that comes while its referral is alive: one step of the loop, or something that is out of order."""

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

_ALIVE: Final = frozenset(
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
    SignalType.COMPLETED: _ALIVE,
    SignalType.FAILED: _ALIVE,
    SignalType.PARTNER_CANCELLED: _ALIVE,
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
"""What is never merely out of order: it contradicts whatever else is known."""


def apply_to_open_referral(case: Case, heard: PlacedSignal, ctx: Context) -> Iterator[Event]:
    referral, signal = heard.referral, heard.signal
    if referral.status is ReferralStatus.DRAFT:
        raise Unroutable("NOT_SENT", "the referral has not been sent")
    if signal.signal_type is SignalType.PROGRESS and _stale(referral, signal.partner_seq):
        yield from record_superseded(case, heard, "STALE_SEQUENCE", ctx)
    elif referral.status in ALLOWED[said := _meant(case, heard)] or _says_yes_late(heard):
        yield from _said_too_early(case, heard, ctx) or transition(case, heard, ctx)
    elif said in ENDINGS:
        yield from quarantine(case, heard, "CONFLICTING_OUTCOME", ctx)
    else:
        yield from record_superseded(case, heard, "OUT_OF_ORDER_SUPERSEDED", ctx)


def _stale(referral: Referral, seq: int | None) -> bool:
    return seq is not None and referral.last_seq is not None and seq <= referral.last_seq


def _says_yes_late(heard: PlacedSignal) -> bool:
    """An acceptance with a word of its own, overtaken by what followed it: the word would be lost otherwise."""
    said = heard.signal.signal_type is SignalType.ACCEPTED and heard.signal.outcome_code is not None
    return (
        said
        and heard.referral.status in (ReferralStatus.IN_PROGRESS, ReferralStatus.ON_HOLD)
        and not heard.referral.accepted
    )


def _said_too_early(case: Case, heard: PlacedSignal, ctx: Context) -> Iterator[Event] | None:
    """Something that can only be true once the person has travelled, and the person has not."""
    answers = OUTCOMES.get(heard.referral.asked_kind)
    if answers is None or case.departed or heard.signal.outcome_code not in answers.only_after:
        return None
    return quarantine(case, heard, "BEFORE_DEPARTURE", ctx)


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


def transition(case: Case, heard: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """One step of the loop, and what it brings about by itself."""
    said = _meant(case, heard)
    more = PARTICULARS.get(said, _nothing)(case, heard, ctx)
    yield TRANSITIONS[said].model_validate({**report_fields(heard, ctx), **more})
    if said is not SignalType.COMPLETED:  # a completion's consequences are its stage's to draw
        yield from hold_if_grave(case, heard, ctx)


def _meant(case: Case, heard: PlacedSignal) -> SignalType:
    """Done, with an outcome that ends nothing, is progress; done before the flight of what comes after it is a yes."""
    said, answers = heard.signal.signal_type, OUTCOMES.get(heard.referral.asked_kind)
    if said is not SignalType.COMPLETED or answers is None:
        return said
    code = heard.signal.outcome_code
    if code in answers.goes_on:
        return SignalType.PROGRESS
    promised = code in answers.promises or (code is None and bool(answers.promises))
    return SignalType.ACCEPTED if promised and not case.departed else SignalType.COMPLETED


Particulars = Callable[[Case, PlacedSignal, Context], dict[str, Any]]


def _nothing(_case: Case, _heard: PlacedSignal, _ctx: Context) -> dict[str, Any]:
    return {}


def _inferred(_case: Case, heard: PlacedSignal, _ctx: Context) -> dict[str, Any]:
    """The steps that the partner did not report and must have taken."""
    until = FLOW.index(heard.signal.signal_type)
    missing = [one.value for one in FLOW[1:until] if FLOW.index(one) > REACHED[heard.referral.status]]
    return {"inferred_steps": tuple(missing)}


def _next_step(step_name: str) -> Particulars:
    """Who was late with one step has as long for the next as it had to answer at first."""

    def later(case: Case, heard: PlacedSignal, ctx: Context) -> dict[str, Any]:
        referral = heard.referral
        answer = case.policy.pinned.answer(referral.kind, urgent=referral.urgent)
        due = referral.dues.get(step_name)
        at_least = ctx.directory.calendar(referral.partner_id).after(ctx.at, answer.ack)
        return {"dues": {step_name: at_least}} if due is not None and due < at_least else {}

    return later


def _progress(case: Case, heard: PlacedSignal, ctx: Context) -> dict[str, Any]:
    """Progress may say that the completion takes longer, such as a file that was sent to the capital."""
    referral, signal = heard.referral, heard.signal
    longer = case.policy.pinned.longer.get(referral.kind, {}).get(signal.outcome_code or "")
    told: dict[str, Any] = {"partner_seq": signal.partner_seq}
    if longer is not None:
        due = ctx.directory.calendar(referral.partner_id).after(ctx.at, longer)
        told["dues"] = {name: max(due, referral.dues[name]) for name in ("complete", "stands") if name in referral.dues}
    return told


PARTICULARS: Final[Mapping[SignalType, Particulars]] = {
    SignalType.ACKNOWLEDGED: _next_step("accept"),
    SignalType.ACCEPTED: _next_step("start"),
    SignalType.STARTED: _inferred,
    SignalType.PROGRESS: _progress,
    SignalType.PAUSED: lambda _case, heard, _ctx: {"until": heard.signal.until},
    SignalType.RESUMED: lambda _case, heard, ctx: {"dues": heard.referral.dues_after(ctx.at)},
    SignalType.COMPLETED: _inferred,
    SignalType.PARTNER_CANCELLED: lambda _case, _heard, _ctx: {"why": "PARTNER_WITHDREW"},
}
