"""One attempt to hand a message to its partner: asked for leave, signed, under an id that stays the same for ever."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, TypeAlias, cast
from uuid import UUID, uuid4

import asyncpg
from pydantic import BaseModel, ConfigDict
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.release_check import ReleaseCheck, ReleaseDecision, Verdict
from activities.webhook_client import NotReachedError, WebhookClient, WebhookResponse
from domain.commands.referral import ReportDeliveryFailure
from domain.referral.delivery import NO_RECEIVER
from store.crypto.keys import KeyStore
from store.crypto.webhook_signatures import sign_with
from store.log.mapper import KeyErasedError, TamperedError
from store.messages.inbox import Inbox, IncomingMessage, encode_message
from store.messages.outbox import Delivery, Outbox, open_delivery
from store.partners.keys import OutboundKeys, outbound
from store.partners.registry import receiver_is_gone

log = logging.getLogger("awda.deliver")

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

Settle: TypeAlias = Callable[[Outbox], Awaitable[bool]]

ERASED: Final = "ERASED"

UNREADABLE: Final = "UNREADABLE"

GAVE_UP: Final = "GAVE_UP"

RECEIVER_GONE: Final = "RECEIVER_GONE"

BUSY: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Answers that may say when to ask again."""

OVERTAKEN: Final = 2
"""How often an attempt asks its case again because something happened between the leave and the first byte."""


class Attempt(BaseModel):
    """What came of one attempt.

    ``over``: nothing is left to do. ``held``: not now, and not before something happens in the case. Otherwise it
    failed: ``tries`` attempts have come to nothing, and the partner asked to be left alone for ``rest_s`` seconds.
    """

    model_config = ConfigDict(frozen=True)

    over: bool = False
    held: bool = False
    tries: int = 0
    rest_s: float = 0.0


OVER: Final = Attempt(over=True)

HELD: Final = Attempt(held=True)


class DeliverySupersededError(Exception):
    """Something happened in the case, or to the message, while the connection was being made."""


class DeliveryActivities:
    """Holds the connections; one for a whole worker."""

    def __init__(self, pool: Pool, keys: KeyStore, outside: WebhookClient | None = None) -> None:
        self.pool, self.keys, self.outbox = pool, keys, Outbox(pool)
        self.leaving, self.outside = ReleaseCheck(pool, keys), outside or WebhookClient()

    @activity.defn(name="deliver")
    async def deliver(self, outbox_id: str) -> Attempt:
        """One attempt, if the message may leave."""
        try:
            return await self.attempt(UUID(outbox_id))
        except Exception as fault:  # noqa: BLE001 (only its kind may enter a history)
            log.warning("delivering %s failed: %s", outbox_id, type(fault).__name__)
            raise ApplicationError(type(fault).__name__) from None

    @activity.defn(name="give_up")
    async def give_up(self, outbox_id: str) -> None:
        """Nobody tries again by itself: a dead letter, of which its case is told."""
        delivery = await self.outbox.get(UUID(outbox_id))
        if delivery is not None:
            await self._leave_to_people(delivery, _dead(delivery, None), delivery.last_error or GAVE_UP)

    async def attempt(self, outbox_id: UUID) -> Attempt:
        """The attempt itself, without Temporal around it. Raises what the database raises."""
        delivery = await self.outbox.get(outbox_id)
        if delivery is None or delivery.status != "pending":
            return OVER
        for _ in range(OVERTAKEN):
            leave = await self.leaving.ask(delivery)
            if leave.verdict is not Verdict.GO:
                return await self._keep_back(delivery, leave)
            with suppress(DeliverySupersededError):
                return await self._send(delivery, leave)
        await self.outbox.hold(outbox_id)
        return HELD

    async def _keep_back(self, delivery: Delivery, leave: ReleaseDecision) -> Attempt:
        if leave.verdict is Verdict.WITHDRAWN:
            await self.outbox.withdraw(delivery.outbox_id)
            return OVER
        behind = leave.verdict is Verdict.BEHIND
        await self.outbox.hold(delivery.outbox_id, None if behind else leave.revision)
        return HELD

    async def _send(self, delivery: Delivery, leave: ReleaseDecision) -> Attempt:
        try:
            body = open_delivery(leave.keyring, delivery)
        except TamperedError:
            return await self._leave_to_people(delivery, _dead(delivery, UNREADABLE), UNREADABLE)
        if body is None:
            await self.outbox.dead(delivery.outbox_id, ERASED)
            return OVER
        to = await outbound(self.pool, self.keys.master, delivery.partner_id)
        if to is None or any(before.status == "by_hand" for before in leave.earlier):
            return await self._by_hand(delivery, leave, NO_RECEIVER)
        try:
            answer = await self._post(to, delivery, leave, body)
        except NotReachedError as why:
            return await self._failed(delivery, why.word)
        return await self._answered(delivery, leave, to, answer)

    async def _post(self, to: OutboundKeys, delivery: Delivery, leave: ReleaseDecision, body: bytes) -> WebhookResponse:
        async def gate() -> None:
            if not await self.outbox.begin(delivery.outbox_id, leave.revision):
                raise DeliverySupersededError

        message = cloud_event(delivery, body)
        headers = {
            **sign_with(to.secrets, str(delivery.outbox_id), int(time.time()), message),
            "content-type": "application/cloudevents+json",
        }
        return await self.outside.post(to.url, headers, message, gate)

    async def _answered(
        self, delivery: Delivery, leave: ReleaseDecision, to: OutboundKeys, answer: WebhookResponse
    ) -> Attempt:
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            await self.outbox.delivered(delivery.outbox_id)
            return OVER
        if answer.status == HTTPStatus.GONE:
            await receiver_is_gone(self.pool, delivery.partner_id, to.url)
            return await self._by_hand(delivery, leave, RECEIVER_GONE)
        rest_s = rest_of(answer.retry_after, datetime.now(UTC)) if answer.status in BUSY else 0.0
        return await self._failed(delivery, f"HTTP_{answer.status}", rest_s)

    async def _failed(self, delivery: Delivery, problem: str, rest_s: float = 0.0) -> Attempt:
        tries = await self.outbox.failed(delivery.outbox_id, problem)
        return Attempt(tries=tries, rest_s=rest_s) if tries else OVER  # otherwise settled meanwhile

    # Left to people

    async def _by_hand(self, delivery: Delivery, leave: ReleaseDecision, why: str) -> Attempt:
        """Somebody brings it. They hear of it once for all messages of a referral that wait to be brought."""

        def settle(outbox: Outbox) -> Awaitable[bool]:
            return outbox.to_hand(delivery.outbox_id, why)

        if any(before.status == "by_hand" for before in leave.earlier):
            await settle(self.outbox)
            return OVER
        return await self._leave_to_people(delivery, settle, why)

    async def _leave_to_people(self, delivery: Delivery, settle: Settle, why: str) -> Attempt:
        """Settle, and tell the case: both or neither. A person who was erased has nobody to be told."""
        report = _report(delivery, why)
        try:
            await self.keys.keyring(delivery.stream_id)  # beforehand: not with a connection in hand
            async with self.pool.acquire() as connection, connection.transaction():
                here = cast("Pool", connection)
                if await settle(Outbox(here)) and report is not None:
                    await Inbox(here, self.keys).put(report)
        except KeyErasedError:
            await settle(self.outbox)
        return OVER


def _dead(delivery: Delivery, error: str | None) -> Settle:
    return lambda outbox: outbox.dead(delivery.outbox_id, error)


def _report(delivery: Delivery, cause: str) -> IncomingMessage | None:
    """What the case is told, in our own name."""
    if delivery.referral_id is None:
        return None
    message = ReportDeliveryFailure(referral_id=UUID(delivery.referral_id), cause=cause, letter=delivery.name)
    return IncomingMessage(
        uuid4(),
        delivery.stream_id,
        "system",
        "system.report",
        encode_message(type(message).__name__, message.model_dump(mode="json", exclude_none=True)),
        "system",
        "awda",
    )


def rest_of(retry_after: str | None, now: datetime) -> float:
    """The seconds a partner asks for, given as such or as a date; none if it cannot be read."""
    if retry_after is None:
        return 0.0
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        until = parsedate_to_datetime(retry_after)
        return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())
    except (ValueError, OverflowError):
        return 0.0


def cloud_event(delivery: Delivery, body: bytes) -> bytes:
    """The message as the partner reads it: the same bytes at every attempt."""
    event = {
        "specversion": "1.0",
        "id": str(delivery.outbox_id),
        "source": "awda",
        "type": f"org.iom.vhr.{delivery.name}.v1",
        "time": delivery.created_at.isoformat(),
        "datacontenttype": "application/json",
        "data": json.loads(body),
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
