"""What leaves for partners: referrals with the minimum data, reminders, and endings that explain nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain.case import Case
from domain.event import Event
from domain.partner import minimum_data, purpose_of
from domain.referral import (
    ReferralCancellationNotified,
    ReferralCancelled,
    ReferralCompleted,
    ReferralEnteredInError,
    ReferralExpired,
    ReferralFailed,
    ReferralRejected,
    ReferralReminderSent,
    ReferralSent,
    why_not_send,
)

ENDING: Final = "referral.cancelled"
ENDS: Final = (
    *(ReferralCancelled, ReferralExpired, ReferralEnteredInError),
    *(ReferralCompleted, ReferralRejected, ReferralFailed),
)
"""What ends a referral: nothing more leaves for it, except the notice of the ending itself."""


@dataclass(frozen=True)
class Outgoing:
    """One message to one partner. ``name`` is neutral; ``data`` is sealed until it is delivered."""

    referral_id: UUID
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
        return Outgoing(event.referral_id, event.partner_id, "referral.reminder", data)
    if isinstance(event, ReferralCancellationNotified):
        token = case.referrals[event.referral_id].token
        data = {"referral_token": token, "reason": event.reason}
        return Outgoing(event.referral_id, event.partner_id, ENDING, data)
    return None


def may_still_leave(case: Case, name: str, referral_id: UUID, at: datetime) -> bool:
    """Whether a message about a referral may be delivered as the case stands: asked again at the last moment.

    What is told about a person needs the consent in force and no hold against it, and a referral that goes on. The
    notice of an ending tells nothing of the person, and goes to whomever the person has not excluded.
    """
    referral = case.referrals.get(referral_id)
    if referral is None:
        return False
    if name == ENDING:
        consent = case.consents.get(purpose_of(referral.asked_kind))
        return consent is None or referral.partner_id not in consent.excluded
    return not referral.over and why_not_send(case, referral) is None


def withdrawn_by(case: Case, events: Sequence[Event]) -> frozenset[UUID]:
    """The referrals that were just ended: whatever of them has not been delivered is withdrawn, but for endings."""
    ended = {event.referral_id for event in events if isinstance(event, ENDS)}
    return frozenset(referral_id for referral_id in ended if case.referrals[referral_id].over)


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
    return Outgoing(event.referral_id, event.partner_id, "referral.sent", data)
