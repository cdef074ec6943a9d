"""What goes out: each message to a partner, until it is delivered, dead or withdrawn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from store.mapper import open_body, seal_body
from store.recorder import Outgoing

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    from store.keys import Keyring

AGAIN_AFTER: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to a partner and how far it has come; ``body`` is sealed."""

    outbox_id: UUID
    stream_id: UUID
    partner_id: str
    name: str
    body: bytes
    created_at: datetime
    status: str
    attempts: int
    last_error: str | None = None
    settled_at: datetime | None = None


def place_of(outbox_id: UUID) -> str:
    """Where a message's body is sealed to."""
    return f"outbox:{outbox_id}"


def outgoing(keyring: Keyring, outbox_id: UUID, partner_id: str, name: str, body: bytes) -> Outgoing:
    """A message to a partner, sealed for the stream whose keyring this is."""
    return Outgoing(outbox_id, partner_id, name, seal_body(keyring, keyring.stream_id, place_of(outbox_id), body))


def open_delivery(keyring: Keyring, delivery: Delivery) -> bytes | None:
    """The body to deliver, or ``None`` if its key has been destroyed. Raises ``Tampered``."""
    return open_body(keyring, delivery.stream_id, place_of(delivery.outbox_id), delivery.body)


class Outbox:
    """The table of deliveries. A delivery is settled once; what comes after that changes nothing and says so."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def pending(self, limit: int = 100) -> list[Delivery]:
        """Deliveries not yet settled, oldest first."""
        return [Delivery(*row) for row in await self._pool.fetch(_PENDING, limit)]

    async def claim(self, limit: int = 100, again_after: timedelta = AGAIN_AFTER) -> list[UUID]:
        """Deliveries to start now: never claimed, or claimed long ago (real clock). Nobody else gets the same ones."""
        return [row[0] for row in await self._pool.fetch(_CLAIM, again_after, limit)]

    async def get(self, outbox_id: UUID) -> Delivery | None:
        """One delivery, or ``None`` if there is no such."""
        row = await self._pool.fetchrow(_GET, outbox_id)
        return Delivery(*row) if row else None

    async def of_partner(self, partner_id: str, limit: int = 100) -> list[Delivery]:
        """What went to a partner, newest first."""
        return [Delivery(*row) for row in await self._pool.fetch(_OF_PARTNER, partner_id, limit)]

    async def redeliver(self, outbox_id: UUID) -> bool:
        """Try again, as if it were new, what was given up. Whether it had been."""
        return await self._pool.fetchval(_REDELIVER, outbox_id) is not None

    async def delivered(self, outbox_id: UUID) -> bool:
        """The partner has it. Whether this was news."""
        return await self._settle(outbox_id, "delivered", None)

    async def failed(self, outbox_id: UUID, error: str) -> int:
        """One more attempt came to nothing. Returns how many there have been; ``error`` names no person."""
        return await self._pool.fetchval(_FAILED, outbox_id, error) or 0

    async def dead(self, outbox_id: UUID, error: str) -> bool:
        """Nobody will try again by itself. Whether this was news."""
        return await self._settle(outbox_id, "dead", error)

    async def withdraw(self, outbox_id: UUID) -> bool:
        """It must not go out any more. Whether this was news."""
        return await self._settle(outbox_id, "withdrawn", None)

    async def _settle(self, outbox_id: UUID, status: str, error: str | None) -> bool:
        return await self._pool.fetchval(_SETTLE, outbox_id, status, error) is not None


_DELIVERY = """
SELECT outbox_id, stream_id, partner_id, name, body, created_at, status, attempts, last_error, settled_at FROM outbox"""
_PENDING = _DELIVERY + " WHERE status = 'pending' ORDER BY created_at LIMIT $1"
_OF_PARTNER = _DELIVERY + " WHERE partner_id = $1 ORDER BY created_at DESC, outbox_id LIMIT $2"
_GET = _DELIVERY + " WHERE outbox_id = $1"

_CLAIM = """
UPDATE outbox SET claimed_at = clock_timestamp() WHERE outbox_id IN (
    SELECT outbox_id FROM outbox
    WHERE status = 'pending' AND (claimed_at IS NULL OR claimed_at <= clock_timestamp() - $1::interval)
    ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING outbox_id
"""

_REDELIVER = """
UPDATE outbox SET status = 'pending', attempts = 0, claimed_at = NULL, settled_at = NULL
WHERE outbox_id = $1 AND status = 'dead' RETURNING 1
"""

_FAILED = """
UPDATE outbox SET attempts = attempts + 1, last_error = $2
WHERE outbox_id = $1 AND status = 'pending' RETURNING attempts
"""

_SETTLE = """
UPDATE outbox SET status = $2, settled_at = awda_now(), last_error = coalesce($3, last_error),
    attempts = attempts + CASE WHEN $2 = 'delivered' THEN 1 ELSE 0 END
WHERE outbox_id = $1 AND status = 'pending' RETURNING 1
"""
