"""One attempt to hand a message to its partner: signed, under an id that stays the same over all attempts."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable
from typing import Final
from uuid import UUID

import asyncpg
import httpx2
from temporalio import activity
from temporalio.exceptions import ApplicationError

from store.keys import KeyStore
from store.outbox import Delivery, Outbox, open_delivery
from store.partners import outbound
from store.signing import sign_with

log = logging.getLogger("awda.deliver")

TIMEOUT_S: Final = 20.0
NO_RECEIVER: Final = "NO_RECEIVER"
ERASED: Final = "ERASED"


class Delivering:
    """Holds the connections; one for a whole worker."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], keys: KeyStore) -> None:
        self.pool, self.keys, self.outbox = pool, keys, Outbox(pool)
        self.http = httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)

    @activity.defn(name="deliver")
    async def deliver(self, outbox_id: str) -> bool:
        """Whether nothing is left to do: delivered now, or settled before. A partner that fails is tried again."""
        try:
            return await self._deliver(UUID(outbox_id))
        except Exception as fault:  # noqa: BLE001 (only its kind may enter a history)
            log.warning("delivering %s failed: %s", outbox_id, type(fault).__name__)
            raise ApplicationError(type(fault).__name__) from None

    @activity.defn(name="give_up")
    async def give_up(self, outbox_id: str) -> None:
        """Nobody tries again by itself: a dead letter that a person sees."""
        await self.outbox.dead(UUID(outbox_id), "GAVE_UP")

    async def _deliver(self, outbox_id: UUID) -> bool:
        delivery = await self.outbox.get(outbox_id)
        if delivery is None or delivery.status != "pending":
            return True
        to = await outbound(self.pool, self.keys.master, delivery.partner_id)
        if to is None:
            return await self._settled_dead(outbox_id, NO_RECEIVER)
        body = open_delivery(await self.keys.keyring(delivery.stream_id), delivery)
        if body is None:
            return await self._settled_dead(outbox_id, ERASED)
        problem = await self._post(to.url, to.secrets, delivery, body)
        if problem is None:
            await self.outbox.delivered(outbox_id)
            return True
        await self.outbox.failed(outbox_id, problem)
        return False

    async def _settled_dead(self, outbox_id: UUID, why: str) -> bool:
        await self.outbox.dead(outbox_id, why)
        return True

    async def _post(self, url: str, secrets: Iterable[str], delivery: Delivery, body: bytes) -> str | None:
        """What went wrong, in a word; ``None`` if the partner took it."""
        message = _cloud_event(delivery, body)
        headers = {
            **sign_with(secrets, str(delivery.outbox_id), int(time.time()), message),
            "content-type": "application/cloudevents+json",
        }
        try:
            answer = await self.http.post(url, content=message, headers=headers)
        except httpx2.HTTPError as fault:
            return type(fault).__name__
        return None if answer.is_success else f"HTTP_{answer.status_code}"


def _cloud_event(delivery: Delivery, body: bytes) -> bytes:
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
