"""Doubt, resolved by a person: what a quarantined signal says counts, perhaps corrected, or it is set aside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from domain.case.aggregate import Case
from domain.clearance.actions import end_of, granted_by
from domain.commands.signal import ReceivePartnerSignal, ResolveQuarantinedSignal
from domain.events.partner_report import ReferralOutcomeAmended
from domain.events.signal import PartnerSignalQuarantined, QuarantinedSignalResolved
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.vocabulary import ReferralStatus, SignalType
from domain.referral.compartments import split_payload
from domain.signals.placed_signal import PlacedSignal, hold_if_grave, report_fields, unfit
from domain.signals.transitions import ALLOWED, transition


def quarantined(case: Case, signal_id: UUID) -> PartnerSignalQuarantined:
    found = [event for event in case.every(PartnerSignalQuarantined) if event.signal_id == signal_id]
    if not found or signal_id not in case.referrals[found[-1].referral_id].disputed:
        raise Rejected(
            "SIGNAL.NOT_IN_QUARANTINE", f"signal {signal_id} does not wait for a decision", field="signal_id"
        )
    return found[-1]


def resolve_quarantined_signal(case: Case, order: ResolveQuarantinedSignal, ctx: Context) -> Iterator[Event]:
    """A person's decision on a doubtful signal. Until it, the signal held the journey; from it on, it permits.

    Unless it is grave: that holds, whether or not it still moves its referral.
    """
    signal = quarantined(case, order.signal_id)
    counts = _as_decided(case, signal, order, ctx) if order.decision == "AMEND" else None
    yield QuarantinedSignalResolved(
        signal_id=signal.signal_id, referral_id=signal.referral_id, decision=order.decision, reason=order.reason
    )
    if counts is not None:
        yield from _counts(case, counts, ctx)
        yield from hold_if_grave(case, counts, ctx)


def _as_decided(
    case: Case, doubted: PartnerSignalQuarantined, order: ResolveQuarantinedSignal, ctx: Context
) -> PlacedSignal:
    """The signal again, with what the person has corrected. What still fits no schema cannot count."""
    referral = case.referrals[doubted.referral_id]
    if referral.status in (ReferralStatus.CANCELLED, ReferralStatus.EXPIRED, ReferralStatus.ENTERED_IN_ERROR):
        raise Rejected("REFERRAL.OVER", f"the referral is {referral.status}; the signal can only be set aside")
    payload = doubted.content if order.payload is None else order.payload
    signal = ReceivePartnerSignal(
        signal_id=doubted.signal_id,
        referral_token=referral.token,
        partner_id=doubted.partner_id,
        signal_type=doubted.signal_type,
        outcome_code=order.outcome_code or doubted.outcome,
        reason=doubted.told.get("reason"),
        payload=payload,
        occurred_at=doubted.occurred_at or doubted.timestamp,
    )
    if flaw := unfit(referral.asked_kind, signal, ctx):
        detail = f"it does not fit its schema ({flaw}); correct `outcome_code` or `payload`, or set it aside"
        raise Rejected("SIGNAL.UNFIT", detail, field="outcome_code")
    return PlacedSignal(referral, signal, split_payload(referral.asked_kind, payload), doubted.timestamp)


def _counts(case: Case, heard: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """What is under way takes the step; what had ended is amended, and loses what the old answer had granted."""
    if not heard.referral.over:
        yield from _under_way(case, heard, ctx)
        return
    before = granted_by(case, heard.referral.referral_id)
    yield ReferralOutcomeAmended.model_validate(
        {
            **report_fields(heard, ctx),
            "approved_by": ctx.actor,
            "signal_type": heard.signal.signal_type,
            "supersedes": heard.referral.completed_by,
        }
    )
    yield from end_of(case, before, "OUTCOME_AMENDED")


def _under_way(case: Case, heard: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """An amended answer to what was never answered is the answer, and there is nothing to take back of it.

    A refusal of what has begun is a failure. A step that has been overtaken since changes nothing.
    """
    referral, said = heard.referral, heard.signal.signal_type
    if said is SignalType.RETRACTED:
        return
    if said is SignalType.AMENDED:
        said = SignalType.COMPLETED
    if said is SignalType.REJECTED and referral.status not in ALLOWED[SignalType.REJECTED]:
        said = SignalType.FAILED
    if referral.status in ALLOWED[said]:
        signal = heard.signal.model_copy(update={"signal_type": said})
        yield from transition(case, replace(heard, signal=signal), ctx)
