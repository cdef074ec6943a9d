"""Task links: how a partner without a system is asked, reads what it may know, and answers.

A link is issued only for what has been sent, on a consent in force; that is asked again each time it is opened.
Whatever is said with it enters through the same door as any partner's signal, and is taken even when too late.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from time import monotonic
from typing import Any, Final
from uuid import UUID, uuid5

from audit.live_case import LiveCase, live_case
from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.events.referral import DisclosureRecorded
from domain.kernel.policy import NEWEST
from domain.kernel.vocabulary import ReferralKind, ReferralStatus, SignalType
from domain.kernel.working_time import LIBYA
from domain.referral.disclosure import minimum_data
from domain.referral.requests import why_not_send
from gateway.intake.service import Intake
from gateway.intake.staff import NUMBER
from gateway.intake.submission import KEY, DeclinedError, SubmissionResult
from gateway.public_address import LINE, PublicAddress
from store.log.streams import by_number
from store.messages.inbox import message_id_for
from store.messages.outbox import Outbox
from store.partners.registry import directory
from store.partners.task_links import NewTaskLink, RedeemedLink, TaskLink, TaskLinkStore, made, token_of
from store.postgres.clock import now

PATIENCE_S: Final = 3.0

LOOK_S: Final = 0.05

OVERTAKEN: Final = 3
"""How often a case is looked at again because it went on before its page was shown."""

NOON: Final = time(12)

CALLS: Final = frozenset({ReferralKind.COMMUNITY_LIAISON})
"""Kinds whose partner is only asked to pass word on: its page says nothing else, and is seen once."""


@dataclass(frozen=True, slots=True)
class IssuedLink:
    """A link as it is given out, this once. The code travels by another way than the link."""

    link: TaskLink
    token: str = field(repr=False)
    code: str = field(repr=False)

    def address(self, base: str) -> str:
        return f"{base}/p/{self.token}"


@dataclass(frozen=True, slots=True)
class PartnerTask:
    """What a partner reads: one request about one person, with the fields that were disclosed to it and no more."""

    kind: ReferralKind
    status: ReferralStatus
    urgent: bool
    due: datetime | None
    person: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """What a right code brings: ``task``, ``call``, ``ended`` or ``later``; and the ticket to answer with."""

    showed: str
    link: TaskLink
    ticket: str
    task: PartnerTask | None = None
    given_name: str | None = None


@dataclass(frozen=True, slots=True)
class LinkAnswer:
    """What somebody says with a link. ``details`` are parts of the answer's payload.

    ``ends``: nothing can follow, so the link is used up. ``words`` is how the page called it.
    """

    signal: SignalType
    outcome: str | None = None
    note: str | None = None
    day: date | None = None
    details: Mapping[str, str | bool] = field(default_factory=dict)
    ends: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class PrintedReceipt:
    """What is printed: number and time (UTC), and the partner's own zone."""

    number: str
    received_at: datetime
    zone: tzinfo
    link: TaskLink


class TaskLinks:
    """Issues, opens and answers links, on a desk."""

    def __init__(self, intake: Intake, face: PublicAddress) -> None:
        self.intake, self.face = intake, face
        self.links = TaskLinkStore(intake.pool, intake.keys.master)

    # Staff

    async def issue(
        self, number: str, *, user: str, key: str, referral_id: UUID | None = None, kind: str | None = None
    ) -> IssuedLink:
        """A link and its code for one referral of a case.

        Raises ``DeclinedError``. The same key gives the same ones.
        """
        if not KEY.fullmatch(key):
            raise DeclinedError(
                "bad-key", "an idempotency key has 1 to 255 visible ASCII characters; a UUID is a good one"
            )
        found = await self._settled(await self.stream_of(number))
        referral = chosen(found.case, referral_id, kind)
        if why := await self._why_not(found, referral):
            raise DeclinedError("refused", f"no link is given out for this referral: {why}", rule=why)
        purpose = self._purpose(referral)
        token, code = made(
            self.intake.keys.master, user.encode(), key.encode(), referral.referral_id.bytes, purpose.encode()
        )
        new = NewTaskLink(
            uuid5(message_id_for(f"staff:{user}", key), f"link/{referral.referral_id}"),
            found.case.id, referral.referral_id, referral.partner_id, purpose, f"staff:{user}",
            LIBYA.after(await now(self.intake.pool), NEWEST.in_force.task_link),
        )  # fmt: skip
        link = await self.links.issue(new, token, code)
        await self._handed_over(found, referral)
        return IssuedLink(link, token, code)

    async def stream_of(self, number: str) -> UUID:
        """The case of that number. Raises ``DeclinedError``."""
        head = await by_number(self.intake.pool, number) if NUMBER.fullmatch(number) else None
        if head is None or head.kind != "case":
            raise DeclinedError("not-found", f"there is no case {number[:64]!r}: check the number")
        return head.stream_id

    def _purpose(self, referral: Referral) -> str:
        if referral.asked_kind not in CALLS:
            return "answer"
        if not self.face.line:
            raise DeclinedError("refused", f"set {LINE} first: the page says which number to call", rule="LINK.NO_LINE")
        return "call"

    async def _handed_over(self, found: LiveCase, referral: Referral) -> None:
        """A person takes the request to its partner: nothing of it waits any more to be brought by hand."""
        await Outbox(self.intake.pool).handed_over_referral(found.case.id, str(referral.referral_id))

    async def _known(self, found: LiveCase, referral: Referral) -> bool:
        """From now on the partner knows of it, if the case still stands as it was looked at."""
        outbox, revision = Outbox(self.intake.pool), found.folded.head.revision
        return await outbox.shown(found.case.id, str(referral.referral_id), revision)

    # Partners

    async def open(self, token: str, code: str, lang: str) -> OpenedLink | None:
        """What the link shows; ``None`` if it cannot be opened or the code is wrong, and nobody learns which."""
        link = await self.links.open(token, code, NEWEST.in_force.task_link_tries)
        if link is None:
            return None
        for _ in range(OVERTAKEN):
            found = await self._settled(link.stream_id)
            referral = found.case.referrals.get(link.referral_id)
            if found.unsettled:
                break
            if referral is None or await self._why_not(found, referral):
                return await self._opened(link, lang, "ended")
            if await self._known(found, referral):
                return await self._show(link, lang, found, referral)
        return await self._opened(link, lang, "later")

    async def _show(self, link: TaskLink, lang: str, found: LiveCase, referral: Referral) -> OpenedLink:
        await self._acknowledge(link, referral)
        if link.purpose == "call":
            return await self._call(link, lang, found.case)
        return await self._opened(link, lang, "task", task_of(found, referral))

    async def held(self, ticket: str) -> RedeemedLink | None:
        """The link whose page was opened with a ticket; ``None`` if that was too long ago, or the link is withdrawn."""
        return await self.links.held(ticket)

    async def again(self, held: RedeemedLink) -> PartnerTask | None:
        """The same page once more, for somebody who must mend an answer; ``None`` if it may not be shown any more."""
        found = await self._settled(held.link.stream_id)
        referral = found.case.referrals.get(held.link.referral_id)
        if referral is None or await self._why_not(found, referral):
            return None
        return task_of(found, referral)

    async def kind_of(self, held: RedeemedLink) -> ReferralKind | None:
        """What was asked; needed to understand the answer, whatever has become of the referral since."""
        found = await live_case(self.intake.pool, self.intake.keys, held.link.stream_id)
        referral = found.case.referrals.get(held.link.referral_id)
        return referral.asked_kind if referral else None

    async def say(self, held: RedeemedLink, said: LinkAnswer) -> PrintedReceipt:
        """Take in what was said. The same again from the same page is one signal, however often it is sent."""
        link = held.link
        slot = f"{held.at_answers}:{self._digest(said)}"
        claim = await self.links.claim(link, slot)
        zone = await self.zone_of(link.partner_id)
        answer = await self._signal(link, slot, said, _occurred(said.day, claim.said_at, zone))
        await self.links.settle(link, slot, str(answer.message_id), answer.received_at, ends=said.ends)
        return PrintedReceipt(_printed(answer), answer.received_at, zone, link)

    async def zone_of(self, partner_id: str) -> tzinfo:
        """Where a partner's clock stands."""
        partner = (await directory(self.intake.pool)).get(partner_id)
        return partner.calendar.zone if partner else LIBYA.zone

    async def _call(self, link: TaskLink, lang: str, case: Case) -> OpenedLink:
        if not await self.links.use_up(link):
            return await self._opened(link, lang, "ended")
        name = case.person.given_names if case.person else None
        return await self._opened(link, lang, "call", given_name=name)

    async def _opened(
        self, link: TaskLink, lang: str, showed: str, task: PartnerTask | None = None, given_name: str | None = None
    ) -> OpenedLink:
        ticket = await self.links.opened(link, lang=lang, showed=showed)
        return OpenedLink(showed, link, ticket, task, given_name)

    async def _acknowledge(self, link: TaskLink, referral: Referral) -> None:
        """Whoever opens a request has received it: that is the acknowledgement the referral waits for."""
        if referral.status is ReferralStatus.SENT:
            claim = await self.links.claim(link, "opened")
            await self._signal(link, "opened", LinkAnswer(SignalType.ACKNOWLEDGED), claim.said_at)

    async def _signal(self, link: TaskLink, slot: str, said: LinkAnswer, occurred_at: datetime) -> SubmissionResult:
        token = await token_of(self.intake.pool, link.stream_id, link.referral_id)
        told: dict[str, Any] = {
            "signal_id": str(uuid5(link.link_id, slot)),
            "referral_token": token or link.link_id.hex,
            "partner_id": link.partner_id,
            "signal_type": str(said.signal),
            "outcome_code": said.outcome,
            "reason": said.note,
            "payload": dict(said.details) or None,
            "occurred_at": occurred_at.astimezone(UTC).isoformat(),
        }
        fields = {name: value for name, value in told.items() if value is not None}
        return await self.intake.partners.submit(link.partner_id, f"link:{link.link_id}:{slot}", fields)

    def _digest(self, said: LinkAnswer) -> str:
        told = [said.signal, said.outcome, said.note, str(said.day or ""), dict(said.details)]
        canonical = json.dumps(told, sort_keys=True, ensure_ascii=False).encode()
        return self.intake.keys.master.fingerprint(b"said with a task link", canonical)[:12].hex()

    # Both

    async def _settled(self, stream_id: UUID) -> LiveCase:
        """The case, after a short wait for whatever has been said and is not recorded yet."""
        until = monotonic() + PATIENCE_S
        while True:
            found = await live_case(self.intake.pool, self.intake.keys, stream_id)
            if not found.unsettled or monotonic() >= until:
                return found
            await asyncio.sleep(LOOK_S)

    async def _why_not(self, found: LiveCase, referral: Referral) -> str | None:
        """What forbids telling this partner of this person now, as a rule's name."""
        if found.unsettled:
            return "CASE.UNSETTLED"
        if referral.partner_id not in (await directory(self.intake.pool)).partners:
            return "PARTNER.INACTIVE"
        return why_not_show(found.case, referral)


def why_not_show(case: Case, referral: Referral) -> str | None:
    """What the case itself has against it: the referral's end, its not having been sent, no consent, a hold."""
    if referral.over:
        return "REFERRAL.OVER"
    if referral.status is ReferralStatus.DRAFT:
        return "REFERRAL.NOT_SENT"
    if case.closed:
        return "CASE.CLOSED"
    if case.person is None:
        return "CASE.ERASED"
    return why_not_send(case, referral)


def chosen(case: Case, referral_id: UUID | None, kind: str | None) -> Referral:
    """The referral that is meant: by id, by kind, or the only one under way. Raises ``DeclinedError``."""
    if referral_id is not None:
        if referral_id not in case.referrals:
            raise DeclinedError("not-found", f"this case has no referral {referral_id}")
        return case.referrals[referral_id]
    under_way = [each for each in case.open_referrals() if each.status is not ReferralStatus.DRAFT]
    meant = [each for each in under_way if kind is None or kind.upper() in (each.kind, each.asked_kind)]
    if len(meant) == 1:
        return meant[0]
    names = ", ".join(f"{each.referral_id} ({each.kind}, {each.partner_id})" for each in meant or under_way)
    said = f"name the referral; under way are {names}" if names else "no referral of this case is under way"
    raise DeclinedError("refused", said, rule="LINK.WHICH" if names else "REFERRAL.NONE")


def task_of(found: LiveCase, referral: Referral) -> PartnerTask:
    """What the partner may read now: of its minimum data, the fields that are on record as disclosed to it."""
    known = minimum_data(found.case, referral)
    told = _disclosed(found, referral)
    return PartnerTask(
        kind=referral.asked_kind,
        status=referral.status,
        urgent=referral.urgent,
        due=referral.dues.get(referral.awaited or ""),
        person={name: value for name, value in known.items() if name in told},
    )


def _disclosed(found: LiveCase, referral: Referral) -> set[str]:
    events = (entry.event for entry in found.folded.entries)
    return {
        name
        for event in events
        if isinstance(event, DisclosureRecorded)
        and (event.referral_id, event.recipient, event.direction) == (referral.referral_id, referral.partner_id, "OUT")
        for name in event.fields
    }


def _printed(answer: SubmissionResult) -> str:
    """The number on the receipt: the partner's own count where it has one, for it can be said on the telephone."""
    return str(getattr(answer, "ledger_number", None) or answer.message_id)


def _occurred(day: date | None, said_at: datetime, zone: tzinfo) -> datetime:
    """When it happened, by the partner's word: on a day that has gone, at its noon; otherwise now."""
    if day is None or day >= said_at.astimezone(zone).date():
        return said_at
    return datetime.combine(day, NOON, zone)
