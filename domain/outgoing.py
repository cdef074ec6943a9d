"""What leaves for partners: referrals with the minimum data, reminders, and endings that explain nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from domain.case import Case
from domain.event import Event
from domain.partner import minimum_data
from domain.referral import ReferralCancellationNotified, ReferralReminderSent, ReferralSent


@dataclass(frozen=True)
class Outgoing:
    """One message to one partner. ``name`` is neutral; ``data`` is sealed until it is delivered."""

    partner_id: str
    name: str
    data: dict[str, Any]


def outgoing(case: Case, event: Event) -> Outgoing | None:
    """The message an event sends, if it sends one."""
    if isinstance(event, ReferralSent):
        return _sent(case, event)
    if isinstance(event, ReferralReminderSent):
        token = case.referrals[event.referral_id].token
        data = {"referral_token": token, "step": event.step, "due": event.due.isoformat()}
        return Outgoing(event.partner_id, "referral.reminder", data)
    if isinstance(event, ReferralCancellationNotified):
        token = case.referrals[event.referral_id].token
        return Outgoing(event.partner_id, "referral.cancelled", {"referral_token": token, "reason": event.reason})
    return None


def _sent(case: Case, event: ReferralSent) -> Outgoing:
    referral = case.referrals[event.referral_id]
    data = {
        "referral_token": event.token,
        "kind": referral.asked_kind,
        "urgent": referral.urgent,
        "sent_at": event.timestamp.isoformat(),
        "due": {name: due.isoformat() for name, due in event.dues.items()},
        "person": minimum_data(case, referral),
    }
    return Outgoing(event.partner_id, "referral.sent", data)
