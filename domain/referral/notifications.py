"""What leaves for partners: referrals with the minimum data, reminders, changes, and endings that explain nothing.

What may leave is asked twice: when it is decided, and again when it is delivered, for much may happen in between.
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
from domain.referral.requests import why_not_send

SENT: Final = "referral.sent"

REMINDER: Final = "referral.reminder"

AMENDED: Final = "referral.amended"

ENDING: Final = "referral.cancelled"

ENDS: Final = (
    *(ReferralCancelled, ReferralExpired, ReferralEnteredInError),
    *(ReferralCompleted, ReferralRejected, ReferralFailed),
)
"""What ends a referral: nothing more leaves for it, except the notice of the ending itself."""


@dataclass(frozen=True)
class Notification:
    """One message to one partner. ``name`` is neutral; ``data`` is sealed until it is delivered."""

    referral_id: UUID
    partner_id: str
    name: str
    data: dict[str, Any]


def notifications_of(case: Case, event: Event) -> Notification | None:
    """The message an event sends, if it sends one."""
    letter = LETTERS.get(type(event))
    if letter is None:
        return None
    name, write = letter
    referral: Referral = case.referrals[event.referral_id]  # type: ignore[attr-defined]  # all of them have one
    data = {"referral_token": referral.token, **write(case, referral, event)}
    return Notification(referral.referral_id, referral.partner_id, name, data)


def _sent(case: Case, referral: Referral, event: ReferralSent) -> dict[str, Any]:
    return {
        "kind": referral.asked_kind,
        "urgent": referral.urgent,
        "sent_at": event.timestamp.isoformat(),
        "due": {name: due.isoformat() for name, due in event.dues.items()},
        "person": minimum_data(case, referral),
        **_says(referral),
    }


PLEASE_CALL: Final = "PLEASE_CALL_IOM"


def _says(referral: Referral) -> dict[str, Any]:
    """A community leader is asked for one thing only, and learns nothing by how urgent it is.

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


LETTERS: Final[Mapping[type[Event], tuple[str, Callable[[Case, Referral, Any], dict[str, Any]]]]] = {
    ReferralSent: (SENT, _sent),
    ReferralAmended: (AMENDED, _amended),
    ReferralReminderSent: (REMINDER, _reminder),
    ReferralCancellationNotified: (ENDING, _ending),
}


# What may no longer leave


def may_still_leave(case: Case, name: str, referral_id: UUID, at: datetime) -> bool:
    """Whether a message may be delivered as the case stands at that moment (UTC): asked again at the last one.

    What is told of a person needs the consent in force, no hold against it, and a request that stands; a reminder also
    something that is still owed. An ending tells nothing of the person; it goes to whom the person has not excluded.
    """
    referral = case.referrals.get(referral_id)
    if referral is None:
        return False
    if name == ENDING:
        return referral.partner_id not in case.excluded_for(purpose_of(referral.asked_kind))
    if referral.over or why_not_send(case, referral) is not None:
        return False
    if name == REMINDER:
        return referral.awaited is not None
    return at <= referral.dues.get("stands", at)


def withdrawn_by(case: Case, events: Sequence[Event]) -> frozenset[UUID]:
    """The referrals that just ended: what of them has not been delivered is withdrawn, except the notice of the end."""
    ended = {event.referral_id for event in events if isinstance(event, ENDS)}
    return frozenset(referral_id for referral_id in ended if case.referrals[referral_id].over)
