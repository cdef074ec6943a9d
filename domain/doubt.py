"""Doubt, resolved by a person: a quarantined signal amends what was answered, or it is set aside."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from domain.case import Case
from domain.event import Event
from domain.messages import (
    ResolveQuarantinedSignal,
)
from domain.moment import Moment, Refused
from domain.referral import (
    PartnerSignalQuarantined,
    QuarantinedSignalResolved,
    ReferralOutcomeAmended,
)
from domain.steps import end_of, granted_by


def quarantined(case: Case, signal_id: UUID) -> PartnerSignalQuarantined:
    found = next((event for event in case.every(PartnerSignalQuarantined) if event.signal_id == signal_id), None)
    if found is None or signal_id not in case.referrals[found.referral_id].disputed:
        raise Refused("SIGNAL.NOT_IN_QUARANTINE", f"signal {signal_id} does not wait for a decision", field="signal_id")
    return found


def on_resolve(case: Case, order: ResolveQuarantinedSignal, m: Moment) -> Iterator[Event]:
    """A person's decision on a doubtful signal. Amending ends what the old outcome had granted."""
    signal = quarantined(case, order.signal_id)
    yield QuarantinedSignalResolved(
        signal_id=signal.signal_id, referral_id=signal.referral_id, decision=order.decision, reason=order.reason
    )
    if order.decision == "AMEND":
        before = granted_by(case, signal.referral_id)
        yield ReferralOutcomeAmended(
            referral_id=signal.referral_id,
            kind=signal.kind,
            signal_id=signal.signal_id,
            outcome_code=signal.outcome_code,
            answer=signal.answer,
            care_answer=signal.care_answer,
            protection_answer=signal.protection_answer,
            approved_by=m.actor,
        )
        yield from end_of(case, before, "OUTCOME_AMENDED")
