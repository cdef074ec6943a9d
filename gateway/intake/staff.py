"""Accepts messages from staff through every channel: HTTP, the command line, an import. Commits, then notifies.

Nothing is decided here. What does not match the schema of a message is declined at once, and the refusal is stored with
its sender and time.
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

SKEW: Final = timedelta(minutes=5)  # by which a sender's clock may be ahead

NUMBER: Final = re.compile(r"[A-Z0-9-]{1,60}")

USER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class SubmissionContext:
    """Who submits a message, under which idempotency key, and when it happened according to the sender."""

    user: str
    key: str
    happened_at: datetime | None = None
    reason: str | None = None


class StaffIntake:
    """The part of the intake for messages from staff."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], keys: KeyStore, notifier: Notifier, inbox: Inbox) -> None:
        self.pool, self.keys, self.notifier, self.inbox = pool, keys, notifier, inbox

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
        """Opens a case with its first message. The result has the case number. Raises ``DeclinedError``."""
        incoming = from_staff(None, name, fields, SubmissionContext(user, key, happened_at, reason))
        errors = field_errors(name, fields, to="case")
        if not errors and name != "RegisterCase":
            wrong = f"{name} must be sent to an existing case; a case is opened with RegisterCase"
            errors = [FieldError("/message", "message.needs_a_case", wrong, name)]
        await self._require(incoming, [*errors, *await self._time_errors(happened_at)])
        receipt = await self.inbox.start_case(incoming)
        return self.acknowledge(receipt, receipt.number)

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
        """Submits a message to the case or movement with that number. Raises ``DeclinedError``.

        ``PlanMovement`` opens a movement under the number.
        """
        about = SubmissionContext(user, key, happened_at, reason)
        if name == "PlanMovement":
            return await self._plan(number, fields, about)
        head = await by_number(self.pool, number) if NUMBER.fullmatch(number) else None
        if head is None:
            raise DeclinedError("not-found", f"There is no {_kind(number)} {number[:64]!r}. Check the number.")
        incoming = from_staff(head.stream_id, name, fields, about)
        errors = [*field_errors(name, fields, to=head.kind), *await self._time_errors(happened_at)]
        try:
            await self._require(incoming, errors)
            return self.acknowledge(await self.inbox.put(incoming), number)
        except KeyErasedError:
            raise DeclinedError("erased", f"The data of {number} was erased; nothing can be added to it.") from None

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
        """Opens a movement under the number in its fields. Raises ``DeclinedError``."""
        about = SubmissionContext(user, key, happened_at, reason)
        if name == "PlanMovement":
            return await self._plan(str(fields.get("number", "")), fields, about)
        errors = field_errors(name, fields, to="movement")
        wrong = f"{name} must be sent to an existing movement; a movement is opened with PlanMovement"
        errors = errors or [FieldError("/message", "message.needs_a_movement", wrong, name)]
        await self._require(from_staff(None, name, fields, about), errors)
        raise AssertionError("errors are always declined")

    async def _plan(self, number: str, fields: Mapping[str, Any], about: SubmissionContext) -> SubmissionResult:
        incoming = from_staff(None, "PlanMovement", fields, about)
        errors = field_errors("PlanMovement", fields, to="movement")
        if not errors and fields["number"] != number:
            wrong = f"Number must be the number in the address, {number}"
            errors = [FieldError("/number", "number.differs", wrong, fields["number"])]
        await self._require(incoming, [*errors, *await self._time_errors(about.happened_at)])
        try:
            receipt = await self.inbox.start_stream("movement", number, incoming)
        except NumberTakenError as error:
            raise DeclinedError("number-taken", str(error), rule="MOVEMENT.EXISTS") from None
        return self.acknowledge(receipt, number)

    async def wait(self, message_id: UUID, seconds: float) -> SubmissionResult | None:
        """Returns the result of a message, waiting for it up to ``seconds``; ``None`` if there is no such message."""
        found = await self.inbox.wait_for(message_id, seconds)
        return None if found is None else _so_far(found, await self._number(found.stream_id))

    def acknowledge(self, receipt: Receipt, number: str | None) -> SubmissionResult:
        """Notifies the stream of a stored message and returns what its sender gets. Raises ``DeclinedError``."""
        if receipt.conflicting:
            raise DeclinedError(
                "key-reused",
                "This idempotency key was already used for another message. Send a new message under a new key.",
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

    async def _require(self, incoming: IncomingMessage, errors: list[FieldError]) -> None:
        """Stores the refusal and raises ``DeclinedError`` if there are errors."""
        if not errors:
            return
        rule = "MESSAGE.UNKNOWN" if errors[0].code == "message.unknown" else "MESSAGE.INVALID"
        fields = ", ".join(error.pointer for error in errors)
        receipt = await self._keep(incoming, "refused", {"rule": rule, "field": fields})
        answer = self.acknowledge(receipt, None)
        raise DeclinedError(
            "invalid-message",
            sentence(errors, values=True),
            rule=rule,
            flaws=tuple(errors),
            message_id=answer.message_id,
            repeated=answer.repeated,
        )

    async def _keep(self, incoming: IncomingMessage, status: str, details: Mapping[str, Any]) -> Receipt:
        """Stores a message together with its result, so that its sender can be answered at once."""
        result = json.dumps({"status": status, **details}, sort_keys=True)
        await self.keys.keyring(incoming.stream_id or NOWHERE)  # first, because it needs a connection of its own
        async with self.pool.acquire() as connection, connection.transaction():
            inbox = Inbox(cast("asyncpg.Pool[asyncpg.Record]", connection), self.keys)
            receipt = await inbox.put(incoming)
            if receipt.repeated:
                return receipt
            await connection.execute(_SETTLE, incoming.message_id, status, result)
        return replace(receipt, status=status, result=json.loads(result))

    async def _time_errors(self, happened_at: datetime | None) -> list[FieldError]:
        if happened_at is None:
            return []
        if happened_at.tzinfo is None:
            return [
                FieldError(
                    "/about/happened_at",
                    "time.zone",
                    "Happened at must have a time zone, for example 2026-11-23T08:00:00Z",
                    happened_at.isoformat(),
                )
            ]
        if happened_at > await now(self.pool) + SKEW:
            return [
                FieldError(
                    "/about/happened_at",
                    "time.future",
                    "Happened at must not be in the future",
                    happened_at.isoformat(),
                )
            ]
        if happened_at.year not in YEARS:
            return [
                FieldError(
                    "/about/happened_at",
                    "time.past",
                    f"Happened at must be between the years {YEARS.start} and {YEARS.stop - 1}",
                    happened_at.isoformat(),
                )
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
    """Returns a staff message as the inbox stores it. Raises ``DeclinedError``."""
    if not KEY.fullmatch(about.key):
        raise DeclinedError(
            "bad-key", "The idempotency key must have 1 to 255 visible ASCII characters, for example a new UUID."
        )
    if not USER.fullmatch(about.user):
        raise DeclinedError(
            "bad-user",
            f"{about.user[:64]!r} is not a valid user name. Use 1 to 64 letters, digits and . _ @ -"
            " and begin with a letter or digit.",
        )
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
