"""Messages to partners: referrals with the minimum data, reminders, changes, and notices of an end without its reason.

Whether a message may be sent is checked twice: at the decision and again at the delivery, because the case may change
in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.events.escalation import ReferralReminderSent
from domain.events.partner_report import ReferralCompleted, ReferralFailed, ReferralRejected
from domain.events.referral import (
    ReferralAmended,
    ReferralCancellationNotified,
    ReferralCancelled,
    ReferralEnteredInError,
    ReferralExpired,
    ReferralSent,
)
from domain.kernel.event import Event
from domain.referral.disclosure import RECIPIENT_OF, Recipient, minimum_data, purpose_of
from domain.referral.requests import sending_blocked_by

SENT: Final = "referral.sent"

REMINDER: Final = "referral.reminder"

AMENDED: Final = "referral.amended"

ENDING: Final = "referral.cancelled"

ENDS: Final = (
    *(ReferralCancelled, ReferralExpired, ReferralEnteredInError),
    *(ReferralCompleted, ReferralRejected, ReferralFailed),
)
"""Events that end a referral: no further message is sent for it, except the notice of its end."""


@dataclass(frozen=True)
class Notification:
    """One message to one partner. ``name`` reveals nothing about the case; ``data`` is sealed until its delivery."""

    referral_id: UUID
    partner_id: str
    name: str
    data: dict[str, Any]


def notifications_of(case: Case, event: Event) -> Notification | None:
    """Returns the message that an event sends to a partner, or ``None``."""
    found = NOTIFICATIONS.get(type(event))
    if found is None:
        return None
    name, data_of = found
    referral: Referral = case.referrals[event.referral_id]  # type: ignore[attr-defined]  # every event in the table has one
    data = {"referral_token": referral.token, **data_of(case, referral, event)}
    return Notification(referral.referral_id, referral.partner_id, name, data)


def _sent(case: Case, referral: Referral, event: ReferralSent) -> dict[str, Any]:
    return {
        "kind": referral.asked_kind,
        "urgent": referral.urgent,
        "sent_at": event.timestamp.isoformat(),
        "due": {name: due.isoformat() for name, due in event.dues.items()},
        "person": minimum_data(case, referral),
        **_community_request(referral),
    }


PLEASE_CALL: Final = "PLEASE_CALL_IOM"


def _community_request(referral: Referral) -> dict[str, Any]:
    """Returns what a community leader receives: the same request in every case, never marked as urgent.

    See rule DISCLOSURE.COMMUNITY_LEADER.
    """
    if RECIPIENT_OF[referral.asked_kind] is Recipient.COMMUNITY:
        return {"says": PLEASE_CALL, "urgent": False}
    return {}


def _amended(case: Case, referral: Referral, _event: ReferralAmended) -> dict[str, Any]:
    return {"kind": referral.asked_kind, "person": minimum_data(case, referral)}


def _reminder(_case: Case, _referral: Referral, event: ReferralReminderSent) -> dict[str, Any]:
    return {"step": event.step, "due": event.due.isoformat()}


def _ending(_case: Case, _referral: Referral, event: ReferralCancellationNotified) -> dict[str, Any]:
    return {"reason": event.reason}


NOTIFICATIONS: Final[Mapping[type[Event], tuple[str, Callable[[Case, Referral, Any], dict[str, Any]]]]] = {
    ReferralSent: (SENT, _sent),
    ReferralAmended: (AMENDED, _amended),
    ReferralReminderSent: (REMINDER, _reminder),
    ReferralCancellationNotified: (ENDING, _ending),
}


# Checks at delivery


def may_be_delivered(case: Case, name: str, referral_id: UUID, at: datetime) -> bool:
    """Returns whether a message may be delivered at a time (UTC), given the current state of the case.

    A message about the person requires a consent in force, no blocking hold and a request that is still open; a
    reminder also requires a step that the partner still owes. The notice of an end contains no personal data: it may
    be delivered unless the person has excluded the partner.
    """
    referral = case.referrals.get(referral_id)
    if referral is None:
        return False
    if name == ENDING:
        return referral.partner_id not in case.excluded_for(purpose_of(referral.asked_kind))
    if referral.over or sending_blocked_by(case, referral) is not None:
        return False
    if name == REMINDER:
        return referral.awaited is not None
    return at <= referral.dues.get("stands", at)


def referrals_ended_by(case: Case, events: Sequence[Event]) -> frozenset[UUID]:
    """Returns the referrals that these events ended.

    Their undelivered messages are withdrawn, except the notice of the end.
    """
    ended = {event.referral_id for event in events if isinstance(event, ENDS)}
    return frozenset(referral_id for referral_id in ended if case.referrals[referral_id].over)
