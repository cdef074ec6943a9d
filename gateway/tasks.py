"""Referrals as their partner knows them: what it was sent, what it said, and what it has been told since.

Nothing shows here before the partner has been told. A referral that was never delivered does not exist; one that was
cancelled goes on until the notice has arrived: whoever looks often must not see the moment at which a case changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from audit.fold import Entry, Folded, fold
from domain.asking import why_not_send
from domain.case import Case
from domain.event import Event
from domain.referral import (
    ReferralAccepted,
    ReferralAcknowledged,
    ReferralCancellationNotified,
    ReferralCancelled,
    ReferralCompleted,
    ReferralEnteredInError,
    ReferralExpired,
    ReferralFailed,
    ReferralPaused,
    ReferralRejected,
    ReferralResumed,
    ReferralSent,
    ReferralStarted,
)
from domain.referral_state import Referral
from domain.words import TERMINAL, ReferralKind, ReferralStatus
from gateway.intake import Desk
from store.asked import Candidate, hand_over, referral_tokens
from store.mapper import Tampered
from store.outbox import Delivery, Outbox, open_delivery, outbox_id_of
from store.partners import PartnerKey, get
from store.streams import route

S = ReferralStatus

AFTER: Final[Mapping[type[Event], ReferralStatus]] = {
    ReferralSent: S.SENT,
    ReferralAcknowledged: S.ACKNOWLEDGED,
    ReferralAccepted: S.ACCEPTED,
    ReferralStarted: S.IN_PROGRESS,
    ReferralResumed: S.IN_PROGRESS,
    ReferralPaused: S.ON_HOLD,
    ReferralCompleted: S.COMPLETED,
    ReferralRejected: S.REJECTED,
    ReferralFailed: S.FAILED,
    ReferralCancelled: S.CANCELLED,
    ReferralExpired: S.EXPIRED,
    ReferralEnteredInError: S.ENTERED_IN_ERROR,
}
"""Where a referral stands after an event."""

PLAIN: Final = (ReferralSent, ReferralExpired, ReferralEnteredInError)
"""What its partner may see at once although it did not say it itself."""
WAITS: Final = ("pending", "by_hand")


@dataclass(frozen=True, slots=True)
class Seen:
    """A referral as its partner knows it. ``sent`` is the message it was sent; nothing of it once it is over."""

    token: str
    partner_id: str
    kind: ReferralKind
    status: ReferralStatus
    updated_at: datetime
    sent: Mapping[str, Any] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        return self.status in TERMINAL


async def seen(desk: Desk, partner_id: str, token: str, by: Iterable[PartnerKey]) -> Seen | None:
    """The referral of that token as its partner knows it, if one of the keys is for its kind; ``None`` otherwise.

    A partner without a receiver is handed by this what waited for it.
    """
    place = await route(desk.pool, token)
    if place is None or place[2] != partner_id:
        return None
    return await _seen(desk, Candidate(token, place[0], place[1]), partner_id, tuple(by))


async def seen_all(
    desk: Desk, partner_id: str, by: Iterable[PartnerKey], *, after: str, since: datetime | None, limit: int
) -> tuple[list[Seen], str | None]:
    """So many referrals of a partner behind a token, as it knows them, and the token to go on from, if there are more.

    ``since``: only those that may have changed since then.
    """
    keys = tuple(by)
    candidates = await referral_tokens(desk.pool, partner_id, after=after, since=since, limit=limit + 1)
    shown = [await _seen(desk, each, partner_id, keys) for each in candidates[:limit]]
    following = candidates[limit - 1].token if len(candidates) > limit else None
    return [each for each in shown if each is not None], following


async def _seen(desk: Desk, asked: Candidate, partner_id: str, by: Sequence[PartnerKey]) -> Seen | None:
    folded = await fold(desk.pool, desk.keys, asked.stream_id)
    case, referral = folded.state, _referral(folded, asked.referral_id)
    if not isinstance(case, Case) or referral is None:
        return None
    if not any(key.scope.speaks_of(referral.asked_kind) for key in by):
        return None
    about = [entry for entry in folded.entries if getattr(entry.event, "referral_id", None) == referral.referral_id]
    sent = await _sent(desk, folded, case, referral, about)
    if sent is None:
        return None
    status, updated_at = await _standing(desk, case, about)
    told = {} if status in TERMINAL else await _told(desk, sent)
    return Seen(asked.token, partner_id, referral.asked_kind, status, updated_at, told)


def _referral(folded: Folded, referral_id: str) -> Referral | None:
    known = folded.state.referrals if isinstance(folded.state, Case) else {}
    return known.get(UUID(referral_id))


async def _sent(desk: Desk, folded: Folded, case: Case, referral: Referral, about: Sequence[Entry]) -> Delivery | None:
    """The message that asked the partner, once it has it. One that waits is handed over now, if it may leave."""
    sending = next((entry for entry in about if isinstance(entry.event, ReferralSent)), None)
    delivery = await _delivery(desk, case, sending)
    if delivery is None or delivery.status == "delivered":
        return delivery
    partner = await get(desk.pool, delivery.partner_id)
    waits = delivery.status in WAITS and partner is not None and not partner.receiver_url
    if not waits or referral.over or why_not_send(case, referral) is not None:
        return None
    if await hand_over(desk.pool, delivery.outbox_id, folded.head.revision):
        return delivery
    again = await Outbox(desk.pool).get(delivery.outbox_id)
    return again if again is not None and again.status == "delivered" else None


async def _standing(desk: Desk, case: Case, about: Sequence[Entry]) -> tuple[ReferralStatus, datetime]:
    """The status that the partner knows, and since when it knows it."""
    status, since = S.SENT, about[0].row.recorded_at
    for entry in about:
        if entry.event is None or (to := AFTER.get(type(entry.event))) is None:
            continue
        if to is S.CANCELLED:
            told_at = await _told_of_the_end(desk, case, entry, about)
            status, since = (status, since) if told_at is None else (to, told_at)
        elif isinstance(entry.event, PLAIN) or _said_by_the_partner(entry.event):
            status, since = to, entry.row.recorded_at
    return status, since


def _said_by_the_partner(event: Event) -> bool:
    """What we did ourselves, such as a pause, shows no earlier than the partner hears of it."""
    return getattr(event, "signal_id", None) is not None and getattr(event, "by", "") != "us"


async def _told_of_the_end(desk: Desk, case: Case, end: Entry, about: Sequence[Entry]) -> datetime | None:
    """When the notice of an ending arrived."""
    notices = (e for e in about if isinstance(e.event, ReferralCancellationNotified))
    notice = next((entry for entry in notices if entry.row.version > end.row.version), None)
    delivery = await _delivery(desk, case, notice)
    return delivery.settled_at if delivery is not None and delivery.status == "delivered" else None


async def _delivery(desk: Desk, case: Case, entry: Entry | None) -> Delivery | None:
    """What an event sent: its message has an identity that follows from the event's."""
    if entry is None or entry.event is None:
        return None
    return await Outbox(desk.pool).get(outbox_id_of(case.id, entry.event.originator_version))


async def _told(desk: Desk, sent: Delivery) -> dict[str, Any]:
    """The message as it went out; nothing of it once the person has been erased."""
    try:
        body = open_delivery(await desk.keys.keyring(sent.stream_id, ()), sent)
    except Tampered:
        return {}
    found: dict[str, Any] = json.loads(body) if body is not None else {}
    return found
