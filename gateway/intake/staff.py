"""Taking in from staff, by any door: HTTP, the command line, a list. Committed, then rung for.

Nobody here decides anything. What cannot be a message is declined at once, and the refusal is kept with who and when.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

import asyncpg

from domain.kernel.event import NOWHERE
from gateway.intake.submission import KEY, YEARS, DeclinedError, SubmissionResult, kept
from gateway.intake.validation import FieldError, field_errors, sentence
from store.crypto.keys import KeyStore
from store.log.mapper import KeyErasedError
from store.log.streams import by_number
from store.messages.inbox import (
    Inbox,
    IncomingMessage,
    MessageStatus,
    NumberTakenError,
    Receipt,
    encode_message,
    message_id_for,
)
from store.postgres.clock import now
from store.postgres.notifier import INBOX, Notifier

SKEW: Final = timedelta(minutes=5)

NUMBER: Final = re.compile(r"[A-Z0-9-]{1,60}")

USER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class SubmissionContext:
    """Who hands a message in, under which key, and since when it is so (by the sender's word)."""

    user: str
    key: str
    happened_at: datetime | None = None
    reason: str | None = None


class StaffIntake:
    """The side of the desk where staff hand messages in."""

    pool: asyncpg.Pool[asyncpg.Record]
    keys: KeyStore
    notifier: Notifier
    inbox: Inbox

    async def start_case(
        self,
        fields: Mapping[str, Any],
        *,
        user: str,
        key: str,
        happened_at: datetime | None = None,
        reason: str | None = None,
        name: object = "RegisterCase",
    ) -> SubmissionResult:
        """Open a case with its first message; the answer has its number. Raises ``DeclinedError``."""
        incoming = from_staff(None, name, fields, SubmissionContext(user, key, happened_at, reason))
        flaws = field_errors(name, fields, to="case")
        if not flaws and name != "RegisterCase":
            said = f"{name} goes to a case that exists; a case is started with RegisterCase"
            flaws = [FieldError("/message", "message.needs_a_case", said, name)]
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
    ) -> SubmissionResult:
        """Hand a message to the case or movement of that number.

        ``PlanMovement`` starts one. Raises ``DeclinedError``.
        """
        about = SubmissionContext(user, key, happened_at, reason)
        if name == "PlanMovement":
            return await self._plan(number, fields, about)
        head = await by_number(self.pool, number) if NUMBER.fullmatch(number) else None
        if head is None:
            raise DeclinedError("not-found", f"there is no {_kind(number)} {number[:64]!r}: check the number")
        incoming = from_staff(head.stream_id, name, fields, about)
        flaws = [*field_errors(name, fields, to=head.kind), *await self._time_flaws(happened_at)]
        try:
            await self._insist(incoming, flaws)
            return self.taken(await self.inbox.put(incoming), number)
        except KeyErasedError:
            raise DeclinedError("erased", f"{number} was erased: nothing can be added to it any more") from None

    async def plan(
        self,
        fields: Mapping[str, Any],
        *,
        user: str,
        key: str,
        happened_at: datetime | None = None,
        reason: str | None = None,
        name: object = "PlanMovement",
    ) -> SubmissionResult:
        """Start a movement under the number among its fields. Raises ``DeclinedError``."""
        about = SubmissionContext(user, key, happened_at, reason)
        if name == "PlanMovement":
            return await self._plan(str(fields.get("number", "")), fields, about)
        flaws = field_errors(name, fields, to="movement")
        said = f"{name} goes to a movement that exists; a movement is started with PlanMovement"
        flaws = flaws or [FieldError("/message", "message.needs_a_movement", said, name)]
        await self._insist(from_staff(None, name, fields, about), flaws)
        raise AssertionError("flaws are always declined")

    async def _plan(self, number: str, fields: Mapping[str, Any], about: SubmissionContext) -> SubmissionResult:
        incoming = from_staff(None, "PlanMovement", fields, about)
        flaws = field_errors("PlanMovement", fields, to="movement")
        if not flaws and fields["number"] != number:
            flaws = [
                FieldError("/number", "number.differs", f"the movement is addressed as {number}", fields["number"])
            ]
        await self._insist(incoming, [*flaws, *await self._time_flaws(about.happened_at)])
        try:
            receipt = await self.inbox.start_stream("movement", number, incoming)
        except NumberTakenError as taken:
            raise DeclinedError("number-taken", str(taken), rule="MOVEMENT.EXISTS") from None
        return self.taken(receipt, number)

    async def wait(self, message_id: UUID, seconds: float) -> SubmissionResult | None:
        """What has become of a message, once it is settled or so many seconds have gone; ``None`` if it never came."""
        found = await self.inbox.wait_for(message_id, seconds)
        return None if found is None else _so_far(found, await self._number(found.stream_id))

    def taken(self, receipt: Receipt, number: str | None) -> SubmissionResult:
        if receipt.conflicting:
            raise DeclinedError(
                "key-reused",
                "this id was used before, for another message: a new message needs a new id",
                message_id=receipt.message_id,
            )
        if receipt.stream_id and receipt.status == "pending":
            self.notifier.notify(INBOX, receipt.stream_id)
        result = receipt.result or {}
        return SubmissionResult(
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

    async def _insist(self, incoming: IncomingMessage, flaws: list[FieldError]) -> None:
        """Go on if nothing is wrong; otherwise keep the refusal and decline."""
        if not flaws:
            return
        rule = "MESSAGE.UNKNOWN" if flaws[0].code == "message.unknown" else "MESSAGE.INVALID"
        fields = ", ".join(flaw.pointer for flaw in flaws)
        receipt = await self._keep(incoming, "refused", {"rule": rule, "field": fields})
        answer = self.taken(receipt, None)
        raise DeclinedError(
            "invalid-message",
            sentence(flaws),
            rule=rule,
            flaws=tuple(flaws),
            message_id=answer.message_id,
            repeated=answer.repeated,
        )

    async def _keep(self, incoming: IncomingMessage, status: str, told: Mapping[str, Any]) -> Receipt:
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

    async def _time_flaws(self, happened_at: datetime | None) -> list[FieldError]:
        if happened_at is None:
            return []
        if happened_at.tzinfo is None:
            return [
                FieldError(
                    "/about/happened_at", "time.zone", "a time needs its zone, such as Z", happened_at.isoformat()
                )
            ]
        if happened_at > await now(self.pool) + SKEW:
            return [FieldError("/about/happened_at", "time.future", "it has not happened yet", happened_at.isoformat())]
        if happened_at.year not in YEARS:
            return [
                FieldError("/about/happened_at", "time.past", "nothing is known of that year", happened_at.isoformat())
            ]
        return []

    async def _number(self, stream_id: UUID | None) -> str | None:
        if stream_id is None:
            return None
        number: str | None = await self.pool.fetchval("SELECT number FROM streams WHERE stream_id = $1", stream_id)
        return number


def from_staff(
    stream_id: UUID | None, name: object, fields: Mapping[str, Any], about: SubmissionContext
) -> IncomingMessage:
    """A message of staff, as the inbox takes it. Raises ``DeclinedError``."""
    if not KEY.fullmatch(about.key):
        raise DeclinedError("bad-key", "an idempotency key has 1 to 255 visible ASCII characters; a UUID is a good one")
    if not USER.fullmatch(about.user):
        said = f"{about.user[:64]!r} is no user's name: it has up to 64 letters, digits and . _ @ -"
        raise DeclinedError("bad-user", said)
    return IncomingMessage(
        message_id=message_id_for(about.user, about.key),
        stream_id=stream_id,
        kind="staff",
        name="staff.message",
        body=encode_message(name, fields, about.reason),
        actor=f"staff:{about.user}",
        source=f"staff:{about.user}",
        claimed_at=kept(about.happened_at),
    )


def _so_far(found: MessageStatus, number: str | None) -> SubmissionResult:
    return SubmissionResult(
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
