"""Decisions on quarantined signals: staff apply a signal, with or without a correction, or set it aside."""

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
from domain.kernel.labels import label
from domain.kernel.vocabulary import ReferralStatus, SignalType
from domain.referral.compartments import split_payload
from domain.signals.placed_signal import PlacedSignal, hold_if_grave, report_fields, violation_of
from domain.signals.transitions import ALLOWED, transition


def find_quarantined_signal(case: Case, signal_id: UUID) -> PartnerSignalQuarantined:
    """Returns a signal in quarantine. Raises ``Rejected`` if the signal does not wait for a decision."""
    found = [event for event in case.every(PartnerSignalQuarantined) if event.signal_id == signal_id]
    if not found or signal_id not in case.referrals[found[-1].referral_id].disputed:
        detail = f"signal {signal_id} is not in quarantine, or has been decided; check the signal id"
        raise Rejected("SIGNAL.NOT_IN_QUARANTINE", detail, field="signal_id")
    return found[-1]


def resolve_quarantined_signal(case: Case, order: ResolveQuarantinedSignal, ctx: Context) -> Iterator[Event]:
    """Records a decision on a quarantined signal, which counted against travel until now.

    A grave response keeps its hold, whether or not it still changes its referral.
    """
    signal = find_quarantined_signal(case, order.signal_id)
    corrected = _corrected_signal(case, signal, order, ctx) if order.decision == "AMEND" else None
    yield QuarantinedSignalResolved(
        signal_id=signal.signal_id, referral_id=signal.referral_id, decision=order.decision, reason=order.reason
    )
    if corrected is not None:
        yield from _apply_decision(case, corrected, ctx)
        yield from hold_if_grave(case, corrected, ctx)


def _corrected_signal(
    case: Case, doubted: PartnerSignalQuarantined, order: ResolveQuarantinedSignal, ctx: Context
) -> PlacedSignal:
    """Returns the signal with the corrections. Raises ``Rejected`` if it still violates its schema."""
    referral = case.referrals[doubted.referral_id]
    if referral.status in (ReferralStatus.CANCELLED, ReferralStatus.EXPIRED, ReferralStatus.ENTERED_IN_ERROR):
        raise Rejected(
            "REFERRAL.OVER", f"the referral has ended ({label(referral.status)}); the signal can only be set aside"
        )
    payload = doubted.content if order.payload is None else order.payload
    signal = ReceivePartnerSignal(
        signal_id=doubted.signal_id,
        referral_token=referral.token,
        partner_id=doubted.partner_id,
        signal_type=doubted.signal_type,
        outcome_code=order.outcome_code or doubted.outcome,
        reason=doubted.visible_answer.get("reason"),
        payload=payload,
        occurred_at=doubted.occurred_at or doubted.timestamp,
    )
    if violation := violation_of(referral.asked_kind, signal, ctx):
        detail = f"the signal is not valid ({violation}); correct `outcome_code` or `payload`, or set the signal aside"
        raise Rejected("SIGNAL.UNFIT", detail, field="outcome_code")
    return PlacedSignal(referral, signal, split_payload(referral.asked_kind, payload), doubted.timestamp)


def _apply_decision(case: Case, placed: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """Applies a decided signal: an open referral takes the step, and an ended one is amended.

    Clearances that the previous response granted are revoked.
    """
    if not placed.referral.over:
        yield from _apply_to_open(case, placed, ctx)
        return
    before = granted_by(case, placed.referral.referral_id)
    yield ReferralOutcomeAmended.model_validate(
        {
            **report_fields(placed, ctx),
            "approved_by": ctx.actor,
            "signal_type": placed.signal.signal_type,
            "supersedes": placed.referral.completed_by,
        }
    )
    yield from end_of(case, before, "OUTCOME_AMENDED")


def _apply_to_open(case: Case, placed: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """Applies a decided signal to an open referral.

    An amendment counts as the first response, and a retraction has nothing to retract. A rejection after the start is a
    failure. A step that was superseded since changes nothing.
    """
    referral, signal_type = placed.referral, placed.signal.signal_type
    if signal_type is SignalType.RETRACTED:
        return
    if signal_type is SignalType.AMENDED:
        signal_type = SignalType.COMPLETED
    if signal_type is SignalType.REJECTED and referral.status not in ALLOWED[SignalType.REJECTED]:
        signal_type = SignalType.FAILED
    if referral.status in ALLOWED[signal_type]:
        signal = placed.signal.model_copy(update={"signal_type": signal_type})
        yield from transition(case, replace(placed, signal=signal), ctx)
