"""Task links: how a partner without a system reads a referral and answers it.

A link is issued only for a referral that was sent, and only while a consent is in force; both are checked again each
time the link is opened. An answer is submitted as a signal like that of any other partner, and is accepted even when it
is late.
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
from domain.referral.requests import sending_blocked_by
from gateway.intake.service import Intake
from gateway.intake.staff import NUMBER
from gateway.intake.submission import KEY, DeclinedError, SubmissionResult
from gateway.partner_access.refusals import explain
from gateway.public_address import LINE, PublicAddress
from store.log.streams import by_number
from store.messages.inbox import message_id_for
from store.messages.outbox import Outbox
from store.partners.registry import directory
from store.partners.task_links import NewTaskLink, RedeemedLink, TaskLink, TaskLinkStore, made, token_of
from store.postgres.clock import now

PATIENCE_S: Final = 3.0

POLL_S: Final = 0.05

MAX_RELOADS: Final = 3
"""How often a case is loaded again because it changed before its page was shown."""

NOON: Final = time(12)

CALLS: Final = frozenset({ReferralKind.COMMUNITY_LIAISON})
"""Kinds whose partner only asks the person to call IOM. The page shows nothing else, and is shown once."""


@dataclass(frozen=True, slots=True)
class IssuedLink:
    """A link and its code, as they are returned once. The code must be sent in another way than the link."""

    link: TaskLink
    token: str = field(repr=False)
    code: str = field(repr=False)

    def address(self, base: str) -> str:
        return f"{base}/p/{self.token}"


@dataclass(frozen=True, slots=True)
class PartnerTask:
    """The page of a partner: one request about one person, with only the fields that were disclosed to the partner.

    ``due`` is in UTC.
    """

    kind: ReferralKind
    status: ReferralStatus
    urgent: bool
    due: datetime | None
    person: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """The result of a correct code: what is shown (``task``, ``call``, ``ended``, ``later``), and the answer ticket."""

    showed: str
    link: TaskLink
    ticket: str
    task: PartnerTask | None = None
    given_name: str | None = None


@dataclass(frozen=True, slots=True)
class LinkAnswer:
    """An answer that is given with a link. ``details`` are fields of its payload.

    ``ends``: no answer can follow, so the link can no longer be used. ``text_key`` is the key of the answer's text on
    the page.
    """

    signal: SignalType
    outcome: str | None = None
    note: str | None = None
    day: date | None = None
    details: Mapping[str, str | bool] = field(default_factory=dict)
    ends: bool = False
    text_key: str = ""


@dataclass(frozen=True, slots=True)
class PrintedReceipt:
    """A receipt to print: its number, the time of receipt (UTC), and the partner's time zone."""

    number: str
    received_at: datetime
    zone: tzinfo
    link: TaskLink


class TaskLinks:
    """Issues and opens task links, and submits their answers."""

    def __init__(self, intake: Intake, face: PublicAddress) -> None:
        self.intake, self.face = intake, face
        self.links = TaskLinkStore(intake.pool, intake.keys.master)

    # Staff

    async def issue(
        self, number: str, *, user: str, key: str, referral_id: UUID | None = None, kind: str | None = None
    ) -> IssuedLink:
        """Returns a link and its code for one referral of a case. The same key returns the same link and code.

        Raises ``DeclinedError``.
        """
        if not KEY.fullmatch(key):
            raise DeclinedError(
                "bad-key",
                "the idempotency key must have 1 to 255 visible ASCII characters: send a new UUID, for example",
            )
        found = await self._settled(await self.stream_of(number))
        referral = chosen(found.case, referral_id, kind)
        if rule := await self._why_not(found, referral):
            raise DeclinedError("refused", f"no link can be issued for this referral: {explain(rule)}", rule=rule)
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
        """Returns the stream of the case with this number. Raises ``DeclinedError``."""
        head = await by_number(self.intake.pool, number) if NUMBER.fullmatch(number) else None
        if head is None or head.kind != "case":
            raise DeclinedError("not-found", f"there is no case {number[:64]!r}: check the number")
        return head.stream_id

    def _purpose(self, referral: Referral) -> str:
        if referral.asked_kind not in CALLS:
            return "answer"
        if not self.face.line:
            detail = f"the page must show a number to call: set {LINE} first, then issue the link again"
            raise DeclinedError("refused", detail, rule="LINK.NO_LINE")
        return "call"

    async def _handed_over(self, found: LiveCase, referral: Referral) -> None:
        """Settles the pending manual deliveries of the referral: a person takes the request to its partner."""
        await Outbox(self.intake.pool).handed_over_referral(found.case.id, str(referral.referral_id))

    async def _record_shown(self, found: LiveCase, referral: Referral) -> bool:
        """Records that the partner knows of the referral. Returns ``False`` when the case has changed since."""
        outbox, revision = Outbox(self.intake.pool), found.folded.head.revision
        return await outbox.shown(found.case.id, str(referral.referral_id), revision)

    # Partners

    async def open(self, token: str, code: str, lang: str) -> OpenedLink | None:
        """Returns what the link shows, or ``None`` when the link or the code is not valid, without telling which."""
        link = await self.links.open(token, code, NEWEST.in_force.task_link_tries)
        if link is None:
            return None
        for _ in range(MAX_RELOADS):
            found = await self._settled(link.stream_id)
            referral = found.case.referrals.get(link.referral_id)
            if found.unsettled:
                break
            if referral is None or await self._why_not(found, referral):
                return await self._opened(link, lang, "ended")
            if await self._record_shown(found, referral):
                return await self._show(link, lang, found, referral)
        return await self._opened(link, lang, "later")

    async def _show(self, link: TaskLink, lang: str, found: LiveCase, referral: Referral) -> OpenedLink:
        await self._acknowledge(link, referral)
        if link.purpose == "call":
            return await self._call(link, lang, found.case)
        return await self._opened(link, lang, "task", task_of(found, referral))

    async def redeemed(self, ticket: str) -> RedeemedLink | None:
        """Returns the link of an opened page, or ``None`` when the page has expired or the link was withdrawn."""
        return await self.links.held(ticket)

    async def current_task(self, redeemed: RedeemedLink) -> PartnerTask | None:
        """Returns the task again, to correct an answer, or ``None`` when it may no longer be shown."""
        found = await self._settled(redeemed.link.stream_id)
        referral = found.case.referrals.get(redeemed.link.referral_id)
        if referral is None or await self._why_not(found, referral):
            return None
        return task_of(found, referral)

    async def kind_of(self, redeemed: RedeemedLink) -> ReferralKind | None:
        """Returns the kind of the referral, which is needed to read the answer even after the referral has ended."""
        found = await live_case(self.intake.pool, self.intake.keys, redeemed.link.stream_id)
        referral = found.case.referrals.get(redeemed.link.referral_id)
        return referral.asked_kind if referral else None

    async def submit(self, redeemed: RedeemedLink, answer: LinkAnswer) -> PrintedReceipt:
        """Submits an answer. The same answer from the same page is one signal, however often it is submitted."""
        link = redeemed.link
        slot = f"{redeemed.at_answers}:{self._digest(answer)}"
        claim = await self.links.claim(link, slot)
        zone = await self.zone_of(link.partner_id)
        result = await self._signal(link, slot, answer, _occurred_at(answer.day, claim.said_at, zone))
        await self.links.settle(link, slot, str(result.message_id), result.received_at, ends=answer.ends)
        return PrintedReceipt(_receipt_number(result), result.received_at, zone, link)

    async def zone_of(self, partner_id: str) -> tzinfo:
        """Returns the partner's time zone."""
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
        """Submits the acknowledgement that the referral waits for: a partner that opens it has received it."""
        if referral.status is ReferralStatus.SENT:
            claim = await self.links.claim(link, "opened")
            await self._signal(link, "opened", LinkAnswer(SignalType.ACKNOWLEDGED), claim.said_at)

    async def _signal(self, link: TaskLink, slot: str, answer: LinkAnswer, occurred_at: datetime) -> SubmissionResult:
        token = await token_of(self.intake.pool, link.stream_id, link.referral_id)
        signal: dict[str, Any] = {
            "signal_id": str(uuid5(link.link_id, slot)),
            "referral_token": token or link.link_id.hex,
            "partner_id": link.partner_id,
            "signal_type": str(answer.signal),
            "outcome_code": answer.outcome,
            "reason": answer.note,
            "payload": dict(answer.details) or None,
            "occurred_at": occurred_at.astimezone(UTC).isoformat(),
        }
        fields = {name: value for name, value in signal.items() if value is not None}
        return await self.intake.partners.submit(link.partner_id, f"link:{link.link_id}:{slot}", fields)

    def _digest(self, answer: LinkAnswer) -> str:
        content = [answer.signal, answer.outcome, answer.note, str(answer.day or ""), dict(answer.details)]
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=False).encode()
        return self.intake.keys.master.fingerprint(b"said with a task link", canonical)[:12].hex()

    # Both

    async def _settled(self, stream_id: UUID) -> LiveCase:
        """Returns the case, after a short wait for messages that are not recorded yet."""
        until = monotonic() + PATIENCE_S
        while True:
            found = await live_case(self.intake.pool, self.intake.keys, stream_id)
            if not found.unsettled or monotonic() >= until:
                return found
            await asyncio.sleep(POLL_S)

    async def _why_not(self, found: LiveCase, referral: Referral) -> str | None:
        """Returns the rule that forbids disclosing this referral to its partner now, if there is one."""
        if found.unsettled:
            return "CASE.UNSETTLED"
        if referral.partner_id not in (await directory(self.intake.pool)).partners:
            return "PARTNER.INACTIVE"
        return why_not_show(found.case, referral)


def why_not_show(case: Case, referral: Referral) -> str | None:
    """Returns the rule of the case that forbids it: the referral has ended or was not sent, no consent, or a hold."""
    if referral.over:
        return "REFERRAL.OVER"
    if referral.status is ReferralStatus.DRAFT:
        return "REFERRAL.NOT_SENT"
    if case.closed:
        return "CASE.CLOSED"
    if case.person is None:
        return "CASE.ERASED"
    return sending_blocked_by(case, referral)


def chosen(case: Case, referral_id: UUID | None, kind: str | None) -> Referral:
    """Returns the chosen referral: by id, by kind, or the only one under way. Raises ``DeclinedError``."""
    if referral_id is not None:
        if referral_id not in case.referrals:
            raise DeclinedError("not-found", f"this case has no referral {referral_id}: check the id")
        return case.referrals[referral_id]
    under_way = [each for each in case.open_referrals() if each.status is not ReferralStatus.DRAFT]
    matching = [each for each in under_way if kind is None or kind.upper() in (each.kind, each.asked_kind)]
    if len(matching) == 1:
        return matching[0]
    names = ", ".join(f"{each.referral_id} ({each.kind}, {each.partner_id})" for each in matching or under_way)
    if not names:
        raise DeclinedError("refused", "no referral of this case is under way: send one first", rule="REFERRAL.NONE")
    detail = f"more than one referral is possible: give the id or the kind of one of these: {names}"
    raise DeclinedError("refused", detail, rule="LINK.WHICH")


def task_of(found: LiveCase, referral: Referral) -> PartnerTask:
    """Returns what the partner may read now: the fields of its minimum data that were recorded as disclosed to it."""
    known = minimum_data(found.case, referral)
    disclosed = _disclosed(found, referral)
    return PartnerTask(
        kind=referral.asked_kind,
        status=referral.status,
        urgent=referral.urgent,
        due=referral.dues.get(referral.awaited or ""),
        person={name: value for name, value in known.items() if name in disclosed},
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


def _receipt_number(result: SubmissionResult) -> str:
    """Returns the number on the receipt: the ledger number if there is one, because it is easy to read out."""
    return str(getattr(result, "ledger_number", None) or result.message_id)


def _occurred_at(day: date | None, answered_at: datetime, zone: tzinfo) -> datetime:
    """Returns when it happened: at noon of an earlier day that the partner gave, else at the time of the answer."""
    if day is None or day >= answered_at.astimezone(zone).date():
        return answered_at
    return datetime.combine(day, NOON, zone)
