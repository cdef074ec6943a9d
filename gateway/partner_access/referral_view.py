"""Referrals as their partner knows them: what it was sent, what it said, and what it has been told since.

Nothing shows here before the partner has been told. A referral that was never delivered does not exist; one that was
cancelled goes on until the notice has arrived: whoever looks often must not see the moment at which a case changes.
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
"""Where a referral stands after an event, in the words that its partner is told: an error is an end like any other."""

PLAIN: Final = (ReferralSent, ReferralExpired)
"""What its partner may see at once although it did not say it itself."""

LOOKED_AT: Final = 4
"""How many times a page's length is looked at before the answer says where to go on."""


@dataclass(frozen=True, slots=True)
class PartnerReferral:
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


@dataclass(frozen=True, slots=True)
class _Asked:
    """A referral in the log of its case, what happened to it there, and what its partner was to be told, in order."""

    token: str
    case: Case
    referral: Referral
    revision: int
    about: Sequence[ReplayedEvent]
    letters: Sequence[Delivery]

    def sent_by(self, entry: ReplayedEvent | None) -> Delivery | None:
        """What an event sent, once its partner has it."""
        if entry is None or entry.event is None:
            return None
        wanted = outbox_id_of(self.case.id, entry.event.originator_version)
        return next((each for each in self.letters if each.outbox_id == wanted and each.status == "delivered"), None)


async def view_referral(
    intake: Intake, partner_id: str, token: str, by: Iterable[PartnerKey]
) -> PartnerReferral | None:
    """The referral of that token as its partner knows it, if one of the keys is for its kind; ``None`` otherwise.

    A partner without a receiver is handed by this what waited for it: the request, what has changed, or its end.
    """
    place = await route(intake.pool, token)
    if place is None or place[2] != partner_id:
        return None
    return await _Reading(intake, partner_id, tuple(by), listens=await _listens(intake, partner_id)).read(
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
    """So many referrals of a partner behind a token that fit, and the token to go on from, if there are more.

    ``since``: only those of which the partner has said or been told something since then. What the token to go on
    from belongs to is always something that the partner may see. Nothing is handed over that is not shown.
    """
    reading = _Reading(intake, partner_id, tuple(by), fits, listens=await _listens(intake, partner_id))
    shown, looked_at, last = list[PartnerReferral](), 0, after
    while candidates := await referral_tokens(
        intake.pool, partner_id, after=after, since=since, waiting=not reading.listens, limit=limit
    ):
        for each in candidates:
            full = len(shown) == limit or looked_at == limit * LOOKED_AT
            found = await reading.look(each) if full else await reading.read(each)
            if found is None:
                continue
            if full:
                return shown, last
            looked_at, last = looked_at + 1, each.token
            shown += [found] if fits(found) else []
        after = candidates[-1].token
    return shown, None


async def _listens(intake: Intake, partner_id: str) -> bool:
    """Whether the partner has a receiver, where it is told everything first."""
    partner = await get(intake.pool, partner_id)
    return partner is not None and partner.receiver_url is not None


def _anything(_: PartnerReferral) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _Reading:
    """A partner that reads with its keys. What it reads is told it by this, if it has no receiver and wants it."""

    intake: Intake
    partner_id: str
    by: Sequence[PartnerKey]
    fits: Callable[[PartnerReferral], bool] = _anything
    listens: bool = True

    async def read(self, candidate: TokenCandidate) -> PartnerReferral | None:
        """The referral as the partner knows it once what waited has been handed over."""
        asked = await self._asked(candidate)
        if asked is None:
            return None
        after = await self._after(asked)
        found = await self._seen(after)
        if after is asked or found is None:
            return found
        if not self.fits(found):
            return None  # it goes on waiting: nobody would see what was handed over
        waiting = [each.outbox_id for each in asked.letters if each not in after.letters]
        await hand_over(self.intake.pool, waiting, asked.revision)
        again = await self._asked(candidate)
        return await self._seen(again) if again is not None else None

    async def look(self, candidate: TokenCandidate) -> PartnerReferral | None:
        """The same, without handing anything over."""
        asked = await self._asked(candidate)
        return await self._seen(await self._after(asked)) if asked is not None else None

    async def _asked(self, candidate: TokenCandidate) -> _Asked | None:
        folded = await replay(self.intake.pool, self.intake.keys, candidate.stream_id)
        case, wanted = folded.state, UUID(candidate.referral_id)
        referral = case.referrals.get(wanted) if isinstance(case, Case) else None
        if not isinstance(case, Case) or referral is None:
            return None
        if not any(key.scope.speaks_of(referral.asked_kind) for key in self.by):
            return None
        about = [entry for entry in folded.entries if getattr(entry.event, "referral_id", None) == wanted]
        letters = await Outbox(self.intake.pool).about(candidate.stream_id, candidate.referral_id, self.partner_id)
        return _Asked(candidate.token, case, referral, folded.head.revision, about, letters)

    async def _after(self, asked: _Asked) -> _Asked:
        """As if all had been handed over that may be; the same if nothing may."""
        if self.listens or not any(each.status in WAITS for each in asked.letters):
            return asked
        at = await now(self.intake.pool)
        letters = list(_handed_over(asked.case, asked.letters, at))
        return asked if letters == list(asked.letters) else replace(asked, letters=letters)

    async def _seen(self, asked: _Asked) -> PartnerReferral | None:
        sending = next((entry for entry in asked.about if isinstance(entry.event, ReferralSent)), None)
        sent = asked.sent_by(sending)
        if sent is None:
            return None
        status, updated_at = _standing(asked, sent)
        told = {} if status in TERMINAL else await self._told(asked, sent)
        return PartnerReferral(asked.token, self.partner_id, asked.referral.asked_kind, status, updated_at, told)

    async def _told(self, asked: _Asked, sent: Delivery) -> dict[str, Any]:
        """The message as it went out, with what was said to have changed since."""
        told = await self._opened(sent)
        for letter in asked.letters:
            if letter.name == AMENDED and letter.status == "delivered" and "person" in told:
                told |= {"person": (await self._opened(letter)).get("person", told["person"])}
        return told

    async def _opened(self, letter: Delivery) -> dict[str, Any]:
        """What a message says; nothing once the person has been erased."""
        try:
            body = open_delivery(await self.intake.keys.keyring(letter.stream_id, ()), letter)
        except TamperedError:
            return {}
        found: dict[str, Any] = json.loads(body) if body is not None else {}
        return found


def _handed_over(case: Case, letters: Sequence[Delivery], at: datetime) -> Iterator[Delivery]:
    """These messages, those that may leave as the case stands being delivered."""
    earlier = list[Delivery]()
    for letter in letters:
        may = letter.status in WAITS and judge(case, letter, earlier, at) is Verdict.GO
        earlier.append(replace(letter, status="delivered", settled_at=at) if may else letter)
        yield earlier[-1]


def _standing(asked: _Asked, sent: Delivery) -> tuple[ReferralStatus, datetime]:
    """The status that the partner knows, and since when it knows all that it does."""
    status, since = ReferralStatus.SENT, sent.settled_at or asked.about[0].row.recorded_at
    for entry in asked.about:
        if entry.event is None or (to := AFTER.get(type(entry.event))) is None:
            continue
        at = _known_at(asked, entry, entry.event)
        if at is not None:
            status, since = to, max(since, at)
    amended = (each for each in asked.letters if each.name == AMENDED and each.status == "delivered")
    return status, max([since, *(each.settled_at for each in amended if each.settled_at is not None)])


def _known_at(asked: _Asked, entry: ReplayedEvent, event: Event) -> datetime | None:
    """Since when the partner knows of a step, if it does: it said so itself, or has been told."""
    if AFTER[type(event)] is ReferralStatus.CANCELLED:
        return _told_of_the_end(asked, entry)
    return entry.row.recorded_at if isinstance(event, PLAIN) or _said_by_the_partner(event) else None


def _said_by_the_partner(event: Event) -> bool:
    """What we did ourselves, such as a pause, shows no earlier than the partner hears of it."""
    return getattr(event, "signal_id", None) is not None and getattr(event, "by", "") != "us"


def _told_of_the_end(asked: _Asked, end: ReplayedEvent) -> datetime | None:
    """When the notice of an ending arrived."""
    notices = (each for each in asked.about if isinstance(each.event, ReferralCancellationNotified))
    notice = asked.sent_by(next((each for each in notices if each.row.version > end.row.version), None))
    return notice.settled_at if notice is not None else None
