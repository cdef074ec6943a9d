"""Referrals as their partner knows them: the request, the partner's own reports, and later notices.

A change is shown only after the partner was notified of it. A referral that was never delivered does not exist here,
and a cancelled one continues until the notice was delivered: frequent reading must not reveal when a case changes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from activities.release_check import Verdict, judge
from audit.replay import ReplayedEvent, replay
from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.events.partner_report import (
    ReferralAccepted,
    ReferralAcknowledged,
    ReferralCompleted,
    ReferralFailed,
    ReferralPaused,
    ReferralRejected,
    ReferralResumed,
    ReferralStarted,
)
from domain.events.referral import (
    ReferralCancellationNotified,
    ReferralCancelled,
    ReferralEnteredInError,
    ReferralExpired,
    ReferralSent,
)
from domain.kernel.event import Event
from domain.kernel.vocabulary import TERMINAL, ReferralKind, ReferralStatus
from domain.referral.notifications import AMENDED
from gateway.intake.service import Intake
from store.log.mapper import TamperedError
from store.log.streams import route
from store.messages.outbox import Delivery, Outbox, open_delivery, outbox_id_of
from store.messages.referral_tokens import WAITS, TokenCandidate, hand_over, referral_tokens
from store.partners.keys import PartnerKey
from store.partners.registry import get
from store.postgres.clock import now

AFTER: Final[Mapping[type[Event], ReferralStatus]] = {
    ReferralSent: ReferralStatus.SENT,
    ReferralAcknowledged: ReferralStatus.ACKNOWLEDGED,
    ReferralAccepted: ReferralStatus.ACCEPTED,
    ReferralStarted: ReferralStatus.IN_PROGRESS,
    ReferralResumed: ReferralStatus.IN_PROGRESS,
    ReferralPaused: ReferralStatus.ON_HOLD,
    ReferralCompleted: ReferralStatus.COMPLETED,
    ReferralRejected: ReferralStatus.REJECTED,
    ReferralFailed: ReferralStatus.FAILED,
    ReferralCancelled: ReferralStatus.CANCELLED,
    ReferralExpired: ReferralStatus.EXPIRED,
    ReferralEnteredInError: ReferralStatus.CANCELLED,
}
"""The status after an event, as it is shown to the partner. Entered in error is shown as cancelled, like other ends."""

VISIBLE_AT_ONCE: Final = (ReferralSent, ReferralExpired)
"""Events that the partner may see at once although it did not report them."""

LOOKED_AT: Final = 4
"""How many referrals are examined for one page, as a multiple of its length."""


@dataclass(frozen=True, slots=True)
class PartnerReferral:
    """A referral as its partner knows it. ``sent`` is the sent message, empty after the end of the referral."""

    token: str
    partner_id: str
    kind: ReferralKind
    status: ReferralStatus
    updated_at: datetime
    sent: Mapping[str, Any] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        return self.status in TERMINAL


@dataclass(frozen=True, slots=True)
class _LoggedReferral:
    """A referral from the log of its case, with its events and the messages to its partner, in order."""

    token: str
    case: Case
    referral: Referral
    revision: int
    events: Sequence[ReplayedEvent]
    deliveries: Sequence[Delivery]

    def sent_by(self, entry: ReplayedEvent | None) -> Delivery | None:
        """Returns the message that an event sent, once it was delivered."""
        if entry is None or entry.event is None:
            return None
        outbox_id = outbox_id_of(self.case.id, entry.event.originator_version)
        sent = (each for each in self.deliveries if each.outbox_id == outbox_id and each.status == "delivered")
        return next(sent, None)


async def view_referral(
    intake: Intake, partner_id: str, token: str, by: Iterable[PartnerKey]
) -> PartnerReferral | None:
    """Returns the referral with this token as its partner knows it, if one of the keys ``by`` covers its kind.

    Reading delivers what was waiting for a partner without a receiver: the request, its changes, or its end.
    """
    place = await route(intake.pool, token)
    if place is None or place[2] != partner_id:
        return None
    return await _PartnerView(intake, partner_id, tuple(by), has_receiver=await _has_receiver(intake, partner_id)).read(
        TokenCandidate(token, place[0], place[1])
    )


async def view_referrals(
    intake: Intake,
    partner_id: str,
    by: Iterable[PartnerKey],
    fits: Callable[[PartnerReferral], bool],
    *,
    after: str,
    since: datetime | None,
    limit: int,
) -> tuple[list[PartnerReferral], str | None]:
    """Returns up to ``limit`` matching referrals after a token, and the token of the next page if there is one.

    ``since`` (UTC) keeps only referrals that the partner reported on or was notified of since then. The token of the
    next page always belongs to a referral that the partner may see. Only what is returned counts as delivered.
    """
    view = _PartnerView(intake, partner_id, tuple(by), fits, has_receiver=await _has_receiver(intake, partner_id))
    shown, examined, last = list[PartnerReferral](), 0, after
    while candidates := await referral_tokens(
        intake.pool, partner_id, after=after, since=since, waiting=not view.has_receiver, limit=limit
    ):
        for each in candidates:
            full = len(shown) == limit or examined == limit * LOOKED_AT
            found = await view.look(each) if full else await view.read(each)
            if found is None:
                continue
            if full:
                return shown, last
            examined, last = examined + 1, each.token
            shown += [found] if fits(found) else []
        after = candidates[-1].token
    return shown, None


async def _has_receiver(intake: Intake, partner_id: str) -> bool:
    """Returns whether the partner has a receiver, to which every message is delivered."""
    partner = await get(intake.pool, partner_id)
    return partner is not None and partner.receiver_url is not None


def _anything(_: PartnerReferral) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _PartnerView:
    """The view of a partner that reads with its keys. Without a receiver, reading delivers what it shows."""

    intake: Intake
    partner_id: str
    by: Sequence[PartnerKey]
    fits: Callable[[PartnerReferral], bool] = _anything
    has_receiver: bool = True

    async def read(self, candidate: TokenCandidate) -> PartnerReferral | None:
        """Returns the referral as the partner knows it, after pending messages were marked as delivered."""
        logged = await self._load(candidate)
        if logged is None:
            return None
        after = await self._after_delivery(logged)
        found = await self._view(after)
        if after is logged or found is None:
            return found
        if not self.fits(found):
            return None  # the messages stay pending, because this page does not show them
        waiting = [each.outbox_id for each in logged.deliveries if each not in after.deliveries]
        await hand_over(self.intake.pool, waiting, logged.revision)
        reloaded = await self._load(candidate)
        return await self._view(reloaded) if reloaded is not None else None

    async def look(self, candidate: TokenCandidate) -> PartnerReferral | None:
        """Returns the same as ``read``, without marking anything as delivered."""
        logged = await self._load(candidate)
        return await self._view(await self._after_delivery(logged)) if logged is not None else None

    async def _load(self, candidate: TokenCandidate) -> _LoggedReferral | None:
        stream = await replay(self.intake.pool, self.intake.keys, candidate.stream_id)
        case, referral_id = stream.state, UUID(candidate.referral_id)
        referral = case.referrals.get(referral_id) if isinstance(case, Case) else None
        if not isinstance(case, Case) or referral is None:
            return None
        if not any(key.scope.covers(referral.asked_kind) for key in self.by):
            return None
        events = [entry for entry in stream.entries if getattr(entry.event, "referral_id", None) == referral_id]
        deliveries = await Outbox(self.intake.pool).about(candidate.stream_id, candidate.referral_id, self.partner_id)
        return _LoggedReferral(candidate.token, case, referral, stream.head.revision, events, deliveries)

    async def _after_delivery(self, logged: _LoggedReferral) -> _LoggedReferral:
        """Returns the referral as if all permitted messages were delivered, or the same object if there are none."""
        if self.has_receiver or not any(each.status in WAITS for each in logged.deliveries):
            return logged
        at = await now(self.intake.pool)
        deliveries = list(_delivered(logged.case, logged.deliveries, at))
        return logged if deliveries == list(logged.deliveries) else replace(logged, deliveries=deliveries)

    async def _view(self, logged: _LoggedReferral) -> PartnerReferral | None:
        sending = next((entry for entry in logged.events if isinstance(entry.event, ReferralSent)), None)
        sent = logged.sent_by(sending)
        if sent is None:
            return None
        status, updated_at = _known_status(logged, sent)
        message = {} if status in TERMINAL else await self._message(logged, sent)
        return PartnerReferral(logged.token, self.partner_id, logged.referral.asked_kind, status, updated_at, message)

    async def _message(self, logged: _LoggedReferral, sent: Delivery) -> dict[str, Any]:
        """Returns the message as it was sent, with the changes that were delivered since."""
        message = await self._opened(sent)
        for delivery in logged.deliveries:
            if delivery.name == AMENDED and delivery.status == "delivered" and "person" in message:
                message |= {"person": (await self._opened(delivery)).get("person", message["person"])}
        return message

    async def _opened(self, delivery: Delivery) -> dict[str, Any]:
        """Returns the decrypted message; empty once the person's data has been erased."""
        try:
            body = open_delivery(await self.intake.keys.keyring(delivery.stream_id, ()), delivery)
        except TamperedError:
            return {}
        found: dict[str, Any] = json.loads(body) if body is not None else {}
        return found


def _delivered(case: Case, deliveries: Sequence[Delivery], at: datetime) -> Iterator[Delivery]:
    """Yields the messages, with those that the case permits now marked as delivered."""
    earlier = list[Delivery]()
    for delivery in deliveries:
        may_go = delivery.status in WAITS and judge(case, delivery, earlier, at) is Verdict.GO
        earlier.append(replace(delivery, status="delivered", settled_at=at) if may_go else delivery)
        yield earlier[-1]


def _known_status(logged: _LoggedReferral, sent: Delivery) -> tuple[ReferralStatus, datetime]:
    """Returns the status that the partner knows, and the time (UTC) of the last change that it knows of."""
    status, since = ReferralStatus.SENT, sent.settled_at or logged.events[0].row.recorded_at
    for entry in logged.events:
        if entry.event is None or (to := AFTER.get(type(entry.event))) is None:
            continue
        at = _known_at(logged, entry, entry.event)
        if at is not None:
            status, since = to, max(since, at)
    amended = (each for each in logged.deliveries if each.name == AMENDED and each.status == "delivered")
    return status, max([since, *(each.settled_at for each in amended if each.settled_at is not None)])


def _known_at(logged: _LoggedReferral, entry: ReplayedEvent, event: Event) -> datetime | None:
    """Returns since when the partner knows of an event: it reported the event, or was notified of it."""
    if AFTER[type(event)] is ReferralStatus.CANCELLED:
        return _end_notified_at(logged, entry)
    return entry.row.recorded_at if isinstance(event, VISIBLE_AT_ONCE) or _is_partner_report(event) else None


def _is_partner_report(event: Event) -> bool:
    """Returns whether the partner reported the event. IOM's own steps, such as a pause, are not shown early."""
    return getattr(event, "signal_id", None) is not None and getattr(event, "by", "") != "us"


def _end_notified_at(logged: _LoggedReferral, end: ReplayedEvent) -> datetime | None:
    """Returns when the notice of the end was delivered."""
    notices = (each for each in logged.events if isinstance(each.event, ReferralCancellationNotified))
    notice = logged.sent_by(next((each for each in notices if each.version > end.version), None))
    return notice.settled_at if notice is not None else None
