"""One attempt to deliver a message to its partner: checked for release, signed, always under the same id."""

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
"""Statuses whose response may say when to retry."""

MAX_CHECKS: Final = 2
"""How often one attempt checks the release, because the case may change before the first byte is sent."""


class Attempt(BaseModel):
    """The result of one attempt.

    ``over``: the delivery is settled. ``held``: it must wait until its case changes. Otherwise the attempt failed:
    ``tries`` is the number of failed attempts, and ``rest_s`` the delay in seconds that the partner requested.
    """

    model_config = ConfigDict(frozen=True)

    over: bool = False
    held: bool = False
    tries: int = 0
    rest_s: float = 0.0


OVER: Final = Attempt(over=True)

HELD: Final = Attempt(held=True)


class DeliverySupersededError(Exception):
    """The case or the delivery changed while the connection was being opened."""


class DeliveryActivities:
    """The activities of deliveries; one instance per worker."""

    def __init__(self, pool: Pool, keys: KeyStore, webhooks: WebhookClient | None = None) -> None:
        self.pool, self.keys, self.outbox = pool, keys, Outbox(pool)
        self.release_check, self.webhooks = ReleaseCheck(pool, keys), webhooks or WebhookClient()

    @activity.defn(name="deliver")
    async def deliver(self, outbox_id: str) -> Attempt:
        """Makes one attempt to deliver a message, if it may be released."""
        try:
            return await self.attempt(UUID(outbox_id))
        except Exception as fault:  # noqa: BLE001 (only the type of an error may be stored in a workflow history)
            log.warning("delivering %s failed: %s", outbox_id, type(fault).__name__)
            raise ApplicationError(type(fault).__name__) from None

    @activity.defn(name="give_up")
    async def give_up(self, outbox_id: str) -> None:
        """Settles a message as a dead letter, and reports the failed delivery to its case."""
        delivery = await self.outbox.get(UUID(outbox_id))
        if delivery is not None:
            await self._settle_and_report(delivery, _dead(delivery, None), delivery.last_error or GAVE_UP)

    async def attempt(self, outbox_id: UUID) -> Attempt:
        """Makes one attempt, without Temporal. Raises errors of the database."""
        delivery = await self.outbox.get(outbox_id)
        if delivery is None or delivery.status != "pending":
            return OVER
        for _ in range(MAX_CHECKS):
            release = await self.release_check.check(delivery)
            if release.verdict is not Verdict.GO:
                return await self._hold(delivery, release)
            with suppress(DeliverySupersededError):
                return await self._send(delivery, release)
        await self.outbox.hold(outbox_id)
        return HELD

    async def _hold(self, delivery: Delivery, release: ReleaseDecision) -> Attempt:
        if release.verdict is Verdict.WITHDRAWN:
            await self.outbox.withdraw(delivery.outbox_id)
            return OVER
        behind = release.verdict is Verdict.BEHIND
        await self.outbox.hold(delivery.outbox_id, None if behind else release.revision)
        return HELD

    async def _send(self, delivery: Delivery, release: ReleaseDecision) -> Attempt:
        try:
            body = open_delivery(release.keyring, delivery)
        except TamperedError:
            return await self._settle_and_report(delivery, _dead(delivery, UNREADABLE), UNREADABLE)
        if body is None:
            await self.outbox.dead(delivery.outbox_id, ERASED)
            return OVER
        to = await outbound(self.pool, self.keys.master, delivery.partner_id)
        if to is None or any(before.status == "by_hand" for before in release.earlier):
            return await self._by_hand(delivery, release, NO_RECEIVER)
        try:
            answer = await self._post(to, delivery, release, body)
        except NotReachedError as error:
            return await self._failed(delivery, error.word)
        return await self._answered(delivery, release, to, answer)

    async def _post(
        self, to: OutboundKeys, delivery: Delivery, release: ReleaseDecision, body: bytes
    ) -> WebhookResponse:
        async def gate() -> None:
            if not await self.outbox.begin(delivery.outbox_id, release.revision):
                raise DeliverySupersededError

        message = cloud_event(delivery, body)
        headers = {
            **sign_with(to.secrets, str(delivery.outbox_id), int(time.time()), message),
            "content-type": "application/cloudevents+json",
        }
        return await self.webhooks.post(to.url, headers, message, gate)

    async def _answered(
        self, delivery: Delivery, release: ReleaseDecision, to: OutboundKeys, answer: WebhookResponse
    ) -> Attempt:
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            await self.outbox.delivered(delivery.outbox_id)
            return OVER
        if answer.status == HTTPStatus.GONE:
            await receiver_is_gone(self.pool, delivery.partner_id, to.url)
            return await self._by_hand(delivery, release, RECEIVER_GONE)
        rest_s = rest_of(answer.retry_after, datetime.now(UTC)) if answer.status in BUSY else 0.0
        return await self._failed(delivery, f"HTTP_{answer.status}", rest_s)

    async def _failed(self, delivery: Delivery, problem: str, rest_s: float = 0.0) -> Attempt:
        tries = await self.outbox.failed(delivery.outbox_id, problem)
        return Attempt(tries=tries, rest_s=rest_s) if tries else OVER  # 0: it was settled meanwhile

    # Manual delivery and dead letters

    async def _by_hand(self, delivery: Delivery, release: ReleaseDecision, why: str) -> Attempt:
        """Moves a message to manual delivery. The case is notified once for all such messages of a referral."""

        def settle(outbox: Outbox) -> Awaitable[bool]:
            return outbox.to_hand(delivery.outbox_id, why)

        if any(before.status == "by_hand" for before in release.earlier):
            await settle(self.outbox)
            return OVER
        return await self._settle_and_report(delivery, settle, why)

    async def _settle_and_report(self, delivery: Delivery, settle: Settle, why: str) -> Attempt:
        """Settles the delivery and reports it to the case, in one transaction. An erased case gets no report."""
        report = _report(delivery, why)
        try:
            await self.keys.keyring(delivery.stream_id)  # creates missing keys before a connection of the pool is taken
            async with self.pool.acquire() as connection, connection.transaction():
                transaction = cast("Pool", connection)
                if await settle(Outbox(transaction)) and report is not None:
                    await Inbox(transaction, self.keys).put(report)
        except KeyErasedError:
            await settle(self.outbox)
        return OVER


def _dead(delivery: Delivery, error: str | None) -> Settle:
    return lambda outbox: outbox.dead(delivery.outbox_id, error)


def _report(delivery: Delivery, cause: str) -> IncomingMessage | None:
    """Returns the report of a failed delivery to the case, sent by the system."""
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
    """Returns the delay in seconds from a Retry-After header (seconds or a date); 0 if it cannot be read."""
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
    """Returns the message as a CloudEvent: the same bytes at each attempt."""
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
