"""Taking in: from staff by any door (HTTP, command line), from partners under a signature. Committed, then rung for.

Nobody here decides anything. What cannot be a message is declined at once, and the refusal is kept with who and when.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID, uuid4

import asyncpg
from pydantic import AwareDatetime, TypeAdapter

from domain.event import NOWHERE
from domain.messages import ReceivePartnerSignal
from domain.scope import NOT_FOR_THIS
from domain.words import STATEMENTS
from gateway.flaws import Flaw, flaws_of, sentence, unfit
from gateway.gathering import Gathering
from gateway.signers import Signers
from gateway.strict_json import NotStrict, parse_object
from store.accounts import Ledgers, Signal, Taken
from store.asked import may_say
from store.clock import now
from store.database import open_pool
from store.doorbell import INBOX, Doorbell
from store.inbox import Inbox, Incoming, NumberTaken, Receipt, Result, message_id_for
from store.keys import KeyStore, MasterKey
from store.mapper import Erased
from store.partner_keys import PartnerKey
from store.receipts import ReceiptKey, Statement, publish
from store.signing import ID
from store.streams import by_number

log = logging.getLogger("awda.gateway")

SIGNAL_TYPE: Final = "org.iom.vhr.signal.v1"
CLOUD_EVENT: Final = "application/cloudevents+json"
PARTNER_BODY: Final = 64 * 1024
SKEW: Final = timedelta(minutes=5)
KEY: Final = re.compile(r"[!-~]{1,255}")
YEARS: Final = range(1900, 2200)
NUMBER: Final = re.compile(r"[A-Z0-9-]{1,60}")
PARTNER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
USER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
RECEIVED: Final = "received"
"""All that a partner is told about a message that was taken in, whatever became of it."""

_WHEN: Final = TypeAdapter(AwareDatetime)


class Declined(Exception):
    """Not taken in as a message. ``problem`` is a stable word; ``message_id`` names the kept refusal, if any."""

    def __init__(
        self,
        problem: str,
        detail: str,
        *,
        rule: str | None = None,
        flaws: tuple[Flaw, ...] = (),
        message_id: UUID | None = None,
        repeated: bool = False,
    ) -> None:
        super().__init__(f"{problem}: {detail}")
        self.problem, self.detail, self.rule, self.flaws = problem, detail, rule, flaws
        self.message_id, self.repeated = message_id, repeated


@dataclass(frozen=True, slots=True)
class About:
    """Who hands a message in, under which key, and since when it is so (by the sender's word)."""

    user: str
    key: str
    happened_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender of a message may be told: its receipt, and what has become of it so far."""

    message_id: UUID
    status: str
    receipt: str
    received_at: datetime
    number: str | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    version: int | None = None
    settled: bool = False
    repeated: bool = False
    ledger_number: int | None = None
    """Of a partner's message: its place in the partner's ledger, short enough to be said on the telephone."""


class Desk:
    """Where messages are handed in."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], keys: KeyStore, doorbell: Doorbell) -> None:
        self.pool, self.keys, self.doorbell = pool, keys, doorbell
        self.inbox, self.ledgers = Inbox(pool, keys), Ledgers(pool, keys)
        self.signers, self.receipt_key = Signers(pool, keys.master), ReceiptKey(keys.master)
        self.gathering = Gathering(self.ledgers.take)
        self._key_is_known = False

    # Staff

    async def start_case(
        self,
        fields: Mapping[str, Any],
        *,
        user: str,
        key: str,
        happened_at: datetime | None = None,
        reason: str | None = None,
        name: object = "RegisterCase",
    ) -> Answer:
        """Open a case with its first message; the answer has its number. Raises ``Declined``."""
        incoming = from_staff(None, name, fields, About(user, key, happened_at, reason))
        flaws = flaws_of(name, fields, to="case")
        if not flaws and name != "RegisterCase":
            said = f"{name} goes to a case that exists; a case is started with RegisterCase"
            flaws = [Flaw("/message", "message.needs_a_case", said, name)]
        await self._insist(incoming, [*flaws, *await self._time_flaws(happened_at)])
        receipt = await self.inbox.start_case(incoming)
        return self.taken(receipt, receipt.number)

    async def send(
        self,
        number: str,
        name: object,
        fields: Mapping[str, Any],
        *,
        user: str,
        key: str,
        happened_at: datetime | None = None,
        reason: str | None = None,
    ) -> Answer:
        """Hand a message to the case or movement of that number; ``PlanMovement`` starts one. Raises ``Declined``."""
        about = About(user, key, happened_at, reason)
        if name == "PlanMovement":
            return await self._plan(number, fields, about)
        head = await by_number(self.pool, number) if NUMBER.fullmatch(number) else None
        if head is None:
            raise Declined("not-found", f"there is no {_kind(number)} {number[:64]!r}: check the number")
        incoming = from_staff(head.stream_id, name, fields, about)
        flaws = [*flaws_of(name, fields, to=head.kind), *await self._time_flaws(happened_at)]
        try:
            await self._insist(incoming, flaws)
            return self.taken(await self.inbox.put(incoming), number)
        except Erased:
            raise Declined("erased", f"{number} was erased: nothing can be added to it any more") from None

    async def plan(
        self,
        fields: Mapping[str, Any],
        *,
        user: str,
        key: str,
        happened_at: datetime | None = None,
        reason: str | None = None,
        name: object = "PlanMovement",
    ) -> Answer:
        """Start a movement under the number among its fields. Raises ``Declined``."""
        about = About(user, key, happened_at, reason)
        if name == "PlanMovement":
            return await self._plan(str(fields.get("number", "")), fields, about)
        flaws = flaws_of(name, fields, to="movement")
        said = f"{name} goes to a movement that exists; a movement is started with PlanMovement"
        flaws = flaws or [Flaw("/message", "message.needs_a_movement", said, name)]
        await self._insist(from_staff(None, name, fields, about), flaws)
        raise AssertionError("flaws are always declined")

    async def _plan(self, number: str, fields: Mapping[str, Any], about: About) -> Answer:
        incoming = from_staff(None, "PlanMovement", fields, about)
        flaws = flaws_of("PlanMovement", fields, to="movement")
        if not flaws and fields["number"] != number:
            flaws = [Flaw("/number", "number.differs", f"the movement is addressed as {number}", fields["number"])]
        await self._insist(incoming, [*flaws, *await self._time_flaws(about.happened_at)])
        try:
            receipt = await self.inbox.start_stream("movement", number, incoming)
        except NumberTaken as taken:
            raise Declined("number-taken", str(taken), rule="MOVEMENT.EXISTS") from None
        return self.taken(receipt, number)

    async def wait(self, message_id: UUID, seconds: float) -> Answer | None:
        """What has become of a message, once it is settled or so many seconds have gone; ``None`` if it never came."""
        found = await self.inbox.wait_for(message_id, seconds)
        return None if found is None else _so_far(found, await self._number(found.stream_id))

    # Partners

    async def receive(self, partner_id: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Take in one signed completion signal. ``headers`` by lower-case name, as received. Raises ``Declined``.

        Only signature, size, media type and shape can be declined: whose referral it is, and whether there is one,
        a partner learns from nobody.
        """
        return await self.take(partner_id, headers[ID], *await self.hear(partner_id, headers, body), sent=body)

    async def take(
        self,
        partner_id: str,
        key: str,
        by: Iterable[PartnerKey],
        fields: Mapping[str, Any],
        *,
        sent: bytes | None = None,
    ) -> Answer:
        """Take in what a partner said under some of its keys, or set it aside if none of them is for that."""
        may = await may_say(self.pool, self.keys, by, fields)
        signal = _signal(partner_id, key, fields, sent=sent)
        return await self._keep_signal(signal if may else replace(signal, barred=NOT_FOR_THIS))

    async def hear(
        self, partner_id: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[tuple[PartnerKey, ...], dict[str, Any]]:
        """What a partner says, and the keys that signed it. Raises ``Declined``."""
        if len(body) > PARTNER_BODY:
            raise Declined("too-large", f"a message may have {PARTNER_BODY} bytes")
        if headers.get("content-type", "").split(";")[0].strip().lower() != CLOUD_EVENT:
            raise Declined("media-type", f"one CloudEvent in structured mode, {CLOUD_EVENT}, is taken here")
        by = await self.authenticate(partner_id, headers, body)
        return by, _signal_fields(partner_id, headers[ID], body)

    async def signal(
        self,
        partner_id: str,
        key: str,
        fields: Mapping[str, Any],
        *,
        actor: str | None = None,
        source: str | None = None,
    ) -> Answer:
        """A partner's answer through any other door: a link, a sheet, another format. Raises ``Declined``.

        Whoever calls has made sure that it is the partner's. ``key`` tells this answer from every other of its
        ``source``, so that handing it in twice does nothing twice; ``actor`` is who typed it.
        """
        told = {"partner_id": partner_id, **fields}
        flaws = unfit(ReceivePartnerSignal, told)
        if told["partner_id"] != partner_id:
            flaws.append(Flaw("/partner_id", "partner.other", "it is not the partner whose answer it is"))
        if flaws or not KEY.fullmatch(key):
            said = sentence(flaws) or "a key has 1 to 255 visible ASCII characters"
            raise Declined("shape", said, flaws=tuple(flaws))
        return await self._keep_signal(_signal(partner_id, key, told, actor=actor, source=source))

    async def authenticate(self, partner_id: str, headers: Mapping[str, str], content: bytes) -> tuple[PartnerKey, ...]:
        """The keys of the partner that signed this. Raises ``Declined``, alike for whatever does not fit."""
        named = partner_id if PARTNER.fullmatch(partner_id) else ""
        by = await self.signers.of(named, headers, content)
        if not by:
            log.warning("a message was turned away: its signature is not one of the partner it names")
            raise Declined("signature", "the signature, its time or its sender cannot be accepted")
        await self.signers.notice(by)
        return by

    async def _keep_signal(self, signal: Signal) -> Answer:
        """Keep a partner's message, ring for it, and answer with its receipt, whatever it is about."""
        taken = await self.gathering.put(signal)
        if taken.conflicting:
            await self._keep_contradiction(signal, taken)
            raise Declined("id-reused", "this id was used before, for another message: a new message needs a new id")
        self._ring(taken)
        await self.publish_key()
        return Answer(
            message_id=taken.message_id,
            status=taken.status,
            receipt=self._receipt(signal, taken),
            received_at=taken.received_at,
            result=taken.result or {},
            settled=taken.status != "pending",
            repeated=taken.repeated,
            ledger_number=taken.number,
        )

    async def publish_key(self) -> None:
        """Let partners know the key by which they check receipts, before the first is given."""
        if not self._key_is_known:
            await publish(self.pool, self.receipt_key)
            self._key_is_known = True

    async def _keep_contradiction(self, signal: Signal, taken: Taken) -> None:
        """The same id with another body is not acknowledged; it is kept, and counts for what it restricts."""
        body = body_of("ReceiveContradiction", json.loads(signal.body)["fields"], None)
        kept = await self.gathering.put(replace(signal, body=body, contradicts=taken.message_id))
        log.warning("message %s contradicts %s and waits for a person", kept.message_id, taken.message_id)
        self._ring(kept)

    def _ring(self, taken: Taken) -> None:
        if taken.stream_id and taken.status == "pending":
            self.doorbell.ring(INBOX, taken.stream_id)
        elif taken.status == "quarantined" and not taken.repeated:
            log.warning("message %s is quarantined: %s", taken.message_id, (taken.result or {}).get("cause"))

    def _receipt(self, signal: Signal, taken: Taken) -> str:
        if taken.number is None or taken.ledger is None:
            return str(taken.message_id)
        about = (signal.partner_id, signal.own_id, signal.sha256, taken.received_at, taken.number, taken.ledger)
        return self.receipt_key.sign(Statement(*about))

    # Both

    def taken(self, receipt: Receipt, number: str | None) -> Answer:
        if receipt.conflicting:
            raise Declined(
                "key-reused",
                "this id was used before, for another message: a new message needs a new id",
                message_id=receipt.message_id,
            )
        if receipt.stream_id and receipt.status == "pending":
            self.doorbell.ring(INBOX, receipt.stream_id)
        result = receipt.result or {}
        return Answer(
            message_id=receipt.message_id,
            status=receipt.status,
            receipt=receipt.receipt,
            received_at=receipt.received_at,
            number=number,
            result=result,
            version=result.get("version"),
            settled=receipt.status != "pending",
            repeated=receipt.repeated,
        )

    async def _insist(self, incoming: Incoming, flaws: list[Flaw]) -> None:
        """Go on if nothing is wrong; otherwise keep the refusal and decline."""
        if not flaws:
            return
        rule = "MESSAGE.UNKNOWN" if flaws[0].code == "message.unknown" else "MESSAGE.INVALID"
        fields = ", ".join(flaw.pointer for flaw in flaws)
        receipt = await self._keep(incoming, "refused", {"rule": rule, "field": fields})
        answer = self.taken(receipt, None)
        raise Declined(
            "invalid-message",
            sentence(flaws),
            rule=rule,
            flaws=tuple(flaws),
            message_id=answer.message_id,
            repeated=answer.repeated,
        )

    async def _keep(self, incoming: Incoming, status: str, told: Mapping[str, Any]) -> Receipt:
        """A row that is settled as it comes in: nobody has to look at it before its sender can be answered."""
        result = json.dumps({"status": status, **told}, sort_keys=True)
        await self.keys.keyring(incoming.stream_id or NOWHERE)  # beforehand: not with a connection in hand
        async with self.pool.acquire() as connection, connection.transaction():
            inbox = Inbox(cast("asyncpg.Pool[asyncpg.Record]", connection), self.keys)
            receipt = await inbox.put(incoming)
            if receipt.repeated:
                return receipt
            await connection.execute(_SETTLE, incoming.message_id, status, result)
        return replace(receipt, status=status, result=json.loads(result))

    async def _time_flaws(self, happened_at: datetime | None) -> list[Flaw]:
        if happened_at is None:
            return []
        if happened_at.tzinfo is None:
            return [
                Flaw("/about/happened_at", "time.zone", "a time needs its zone, such as Z", happened_at.isoformat())
            ]
        if happened_at > await now(self.pool) + SKEW:
            return [Flaw("/about/happened_at", "time.future", "it has not happened yet", happened_at.isoformat())]
        if happened_at.year not in YEARS:
            return [Flaw("/about/happened_at", "time.past", "nothing is known of that year", happened_at.isoformat())]
        return []

    async def _number(self, stream_id: UUID | None) -> str | None:
        if stream_id is None:
            return None
        number: str | None = await self.pool.fetchval("SELECT number FROM streams WHERE stream_id = $1", stream_id)
        return number


@asynccontextmanager
async def open_desk(dsn: str, master_key: bytes) -> AsyncIterator[Desk]:
    """A desk of one's own, for a command or a demo. What was rung for is sent before it closes."""
    pool = await open_pool(dsn)
    try:
        async with Doorbell(dsn) as doorbell:
            yield Desk(pool, KeyStore(pool, MasterKey(master_key)), doorbell)
    finally:
        await pool.close()


def new_key() -> str:
    """An idempotency key for a message that nobody will send again."""
    return uuid4().hex


def body_of(name: object, fields: Mapping[str, Any], reason: str | None) -> bytes:
    """A message as the inbox keeps it, the same bytes for the same message."""
    told = {"message": name, "fields": fields, "reason": reason}
    return json.dumps(told, sort_keys=True, separators=(",", ":"), default=str).encode()


def from_staff(stream_id: UUID | None, name: object, fields: Mapping[str, Any], about: About) -> Incoming:
    """A message of staff, as the inbox takes it. Raises ``Declined``."""
    if not KEY.fullmatch(about.key):
        raise Declined("bad-key", "an idempotency key has 1 to 255 visible ASCII characters; a UUID is a good one")
    if not USER.fullmatch(about.user):
        said = f"{about.user[:64]!r} is no user's name: it has up to 64 letters, digits and . _ @ -"
        raise Declined("bad-user", said)
    return Incoming(
        message_id=message_id_for(about.user, about.key),
        stream_id=stream_id,
        kind="staff",
        name="staff.message",
        body=body_of(name, fields, about.reason),
        actor=f"staff:{about.user}",
        source=f"staff:{about.user}",
        claimed_at=_kept(about.happened_at),
    )


def _signal(
    partner_id: str,
    key: str,
    fields: Mapping[str, Any],
    *,
    sent: bytes | None = None,
    actor: str | None = None,
    source: str | None = None,
) -> Signal:
    """A signal as it is kept. ``sent`` is what came in, to the byte; through other doors, what it amounts to."""
    body, partner = body_of("ReceivePartnerSignal", fields, None), f"partner:{partner_id}"
    return Signal(
        partner_id=partner_id,
        own_id=key,
        token=fields["referral_token"],
        body=body,
        sent=body if sent is None else sent,
        actor=actor or partner,
        source=source or partner,
        claimed_at=_claimed(str(fields["occurred_at"])),
        statement=fields["signal_type"] in STATEMENTS,
    )


def _claimed(text: str) -> datetime | None:
    """A partner's time, if a clock can have shown it. A clock that is wrong loses nothing."""
    return _kept(_WHEN.validate_python(text))


def _kept(at: datetime | None) -> datetime | None:
    """A time as far as it can be kept."""
    return at if at is not None and at.tzinfo and at.year in YEARS else None


def _signal_fields(partner_id: str, message_id: str, body: bytes) -> dict[str, Any]:
    """The fields of the signal in a CloudEvent. Raises ``Declined`` for any other shape."""
    try:
        event = parse_object(body)
    except NotStrict as why:
        raise Declined("shape", str(why), flaws=(Flaw("", "json", str(why)),)) from None
    data = event.get("data")
    flaws = [*_envelope_flaws(event, partner_id, message_id)]
    if isinstance(data, dict):
        data = {**data, "partner_id": data.get("partner_id", partner_id)}
        flaws += unfit(ReceivePartnerSignal, data, "/data", sound=True)
        if data["partner_id"] != partner_id:
            flaws.append(Flaw("/data/partner_id", "partner.other", "it is not the partner who signed"))
    if flaws or not isinstance(data, dict):
        raise Declined("shape", sentence(flaws), flaws=tuple(flaws))
    return data


def _envelope_flaws(event: Mapping[str, Any], partner_id: str, message_id: str) -> list[Flaw]:
    wanted = {"specversion": "1.0", "id": message_id, "source": source_of(partner_id), "type": SIGNAL_TYPE}
    flaws = [
        Flaw(f"/{name}", "cloudevent", f"it must be {value!r}")
        for name, value in wanted.items()
        if event.get(name) != value
    ]
    if not isinstance(event.get("data"), dict):
        flaws.append(Flaw("/data", "cloudevent", "it must be an object with the signal's fields"))
    if event.get("datacontenttype", "application/json") != "application/json":
        flaws.append(Flaw("/datacontenttype", "cloudevent", "it must be 'application/json'"))
    return flaws


def source_of(partner_id: str) -> str:
    """The ``source`` under which a partner sends its CloudEvents."""
    return f"awda:partner:{partner_id}"


def _so_far(found: Result, number: str | None) -> Answer:
    return Answer(
        message_id=found.message_id,
        status=found.status,
        receipt=str(found.message_id),
        received_at=found.received_at,
        number=number,
        result=found.result or {},
        version=found.settled_version,
        settled=found.settled,
    )


def _kind(number: str) -> str:
    return "movement" if number.startswith("MOV-") else "case"


_SETTLE = """
UPDATE inbox SET status = $2, result = $3, settled_at = awda_now() WHERE message_id = $1 AND status = 'pending'
"""
