"""The outbox: each message to a partner, until it is delivered, dead or withdrawn.

A partner without a receiver gets its messages by manual delivery: such a row stays open until staff have delivered it.
Messages of one referral keep their order: none is sent before all earlier ones are settled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

from store.log.mapper import open_body, seal_body
from store.log.rows import OutgoingMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from store.crypto.keys import Keyring

AGAIN_AFTER: Final = timedelta(minutes=10)

NO_REVISION: Final = -1  # no stream ever has this revision

HELD_FOR: Final = timedelta(hours=1)
"""After this time a held message is checked again even if its case has not changed."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to a partner, with the state of its delivery; ``body`` is encrypted.

    ``attempts`` counts the failed attempts and the successful one. ``begun_at`` (since when the partner may know the
    content), ``tried_at`` and ``claimed_at`` are by the real clock; ``created_at`` and ``settled_at`` by the programme
    clock. All times are UTC.
    """

    outbox_id: UUID
    stream_id: UUID
    partner_id: str
    name: str
    body: bytes = field(repr=False)
    created_at: datetime
    status: str
    attempts: int
    referral_id: str | None = None
    last_error: str | None = None
    claimed_at: datetime | None = None
    begun_at: datetime | None = None
    tried_at: datetime | None = None
    settled_at: datetime | None = None


def place_of(outbox_id: UUID) -> str:
    """Returns the label to which the body of a message is bound when it is encrypted."""
    return f"outbox:{outbox_id}"


def outbox_id_of(stream_id: UUID, version: int) -> UUID:
    """Returns the id of the message that the event at this version of a stream causes."""
    return uuid5(stream_id, f"outbox/{version}")


def outgoing(
    keyring: Keyring, outbox_id: UUID, partner_id: str, name: str, body: bytes, *, referral_id: str | None = None
) -> OutgoingMessage:
    """Returns a message to a partner, encrypted under the keyring of its stream."""
    sealed = seal_body(keyring, keyring.stream_id, place_of(outbox_id), body)
    return OutgoingMessage(outbox_id, partner_id, name, sealed, referral_id)


def open_delivery(keyring: Keyring, delivery: Delivery) -> bytes | None:
    """Returns the body to deliver, or ``None`` if its key has been destroyed. Raises ``TamperedError``."""
    return open_body(keyring, delivery.stream_id, place_of(delivery.outbox_id), delivery.body)


class Outbox:
    """The deliveries. Each is settled once; later attempts to settle it have no effect and return False."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    # Queries

    async def get(self, outbox_id: UUID) -> Delivery | None:
        """Returns a delivery, or ``None`` if there is none with this id."""
        row = await self._pool.fetchrow(_GET, outbox_id)
        return Delivery(*row) if row else None

    async def several(self, outbox_ids: Sequence[UUID]) -> list[Delivery]:
        """Returns those of the deliveries that exist."""
        return [Delivery(*row) for row in await self._pool.fetch(_SEVERAL, outbox_ids)]

    async def pending(self, limit: int = 100) -> list[Delivery]:
        """Returns pending deliveries, oldest first."""
        return [Delivery(*row) for row in await self._pool.fetch(_PENDING, limit)]

    async def by_hand(self, partner_id: str | None = None, limit: int = 1000) -> list[Delivery]:
        """Returns pending manual deliveries, to one partner or to all, oldest first."""
        return [Delivery(*row) for row in await self._pool.fetch(_BY_HAND, partner_id, limit)]

    async def of_partner(self, partner_id: str, limit: int = 100) -> list[Delivery]:
        """Returns all messages to a partner, newest first."""
        return [Delivery(*row) for row in await self._pool.fetch(_OF_PARTNER, partner_id, limit)]

    async def earlier(self, delivery: Delivery) -> list[Delivery]:
        """Returns the earlier messages to the same partner about the same referral, oldest first."""
        return [Delivery(*row) for row in await self._pool.fetch(_EARLIER, delivery.outbox_id)]

    async def about(self, stream_id: UUID, referral_id: str, partner_id: str) -> list[Delivery]:
        """Returns all messages to a partner about a referral, oldest first."""
        return [Delivery(*row) for row in await self._pool.fetch(_ABOUT, stream_id, referral_id, partner_id)]

    # Sending

    async def claim(self, limit: int = 100, again_after: timedelta = AGAIN_AFTER) -> list[UUID]:
        """Claims the deliveries to start now, and returns their ids. No other caller gets the same ones.

        A delivery is due if all earlier ones of its referral are settled, and its last claim is older than
        ``again_after`` (real clock).
        """
        return [row[0] for row in await self._pool.fetch(_CLAIM, again_after, HELD_FOR, limit)]

    async def released(self, limit: int = 100) -> list[UUID]:
        """Claims held deliveries whose case has changed or whose turn has come, and returns their ids."""
        return [row[0] for row in await self._pool.fetch(_RELEASED, limit)]

    async def begin(self, outbox_id: UUID, revision: int) -> bool:
        """Marks that the partner may know the content from now on. Returns whether the message may be sent.

        False if it was settled meanwhile, if its stream is no longer at ``revision`` or has pending messages, or if an
        earlier message of the referral is not settled.
        """
        return await self._pool.fetchval(_BEGIN, outbox_id, revision) is not None

    async def hold(self, outbox_id: UUID, revision: int | None = None) -> bool:
        """Holds a message while its stream is at ``revision``; without a revision, only until it is its turn.

        Returns whether it was pending.
        """
        return await self._pool.fetchval(_HOLD, outbox_id, NO_REVISION if revision is None else revision) is not None

    async def failed(self, outbox_id: UUID, error: str) -> int:
        """Counts a failed attempt and returns the number of attempts. ``error`` must not identify a person."""
        return await self._pool.fetchval(_FAILED, outbox_id, error) or 0

    # Settling

    async def delivered(self, outbox_id: UUID) -> bool:
        """Settles a message as delivered. Returns whether it was pending."""
        return await self._settle(outbox_id, "delivered", None)

    async def dead(self, outbox_id: UUID, error: str | None) -> bool:
        """Settles a message as a dead letter: it is not retried automatically. Returns whether it was pending."""
        return await self._settle(outbox_id, "dead", error)

    async def withdraw(self, outbox_id: UUID) -> bool:
        """Withdraws a message, which must not be sent any more. Returns whether it was pending."""
        return await self._settle(outbox_id, "withdrawn", None)

    # Manual delivery

    async def to_hand(self, outbox_id: UUID, why: str) -> bool:
        """Moves a message to manual delivery; it is not settled yet. Returns whether it was pending."""
        return await self._pool.fetchval(_TO_HAND, outbox_id, why) is not None

    async def handed_over(self, outbox_id: UUID) -> bool:
        """Settles a manual delivery. Returns whether the message was waiting for one."""
        return await self._pool.fetchval(_HANDED_OVER, [outbox_id]) is not None

    async def handed_over_referral(self, stream_id: UUID, referral_id: str) -> int:
        """Settles all manual deliveries of a referral and returns their number.

        Pending messages of the referral are still sent, but count as possibly known to the partner from now on.
        """
        return (await self._known(stream_id, referral_id))[1]

    async def shown(self, stream_id: UUID, referral_id: str, revision: int) -> bool:
        """Marks a referral as known to its partner, before a page or a sheet shows it. Settles manual deliveries.

        Returns False if its stream is no longer at ``revision`` or has pending messages: then nothing is marked, and
        nothing may be shown.
        """
        return bool((await self._known(stream_id, referral_id, revision))[0])

    async def _known(self, stream_id: UUID, referral_id: str, revision: int | None = None) -> tuple[int, int]:
        """Returns whether the stream is at that revision (1 or 0), and how many manual deliveries were settled."""
        row = await self._pool.fetchrow(_KNOWN, stream_id, referral_id, revision)
        return (row[0], row[1]) if row else (0, 0)

    async def begin_manual_delivery(self, outbox_id: UUID, revision: int) -> bool:
        """Marks that staff have taken a message for manual delivery: the partner may know it from now on.

        Returns False if it does not wait for manual delivery any more, or if its stream is no longer at ``revision`` or
        has pending messages.
        """
        return await self._pool.fetchval(_TAKEN_ALONG, outbox_id, revision) is not None

    async def redeliver(self, outbox_id: UUID) -> bool:
        """Makes a dead letter or a manual delivery pending again, with the same id. Returns whether it was one."""
        return await self._pool.fetchval(_REDELIVER, outbox_id) is not None

    async def _settle(self, outbox_id: UUID, status: str, error: str | None) -> bool:
        return await self._pool.fetchval(_SETTLE, outbox_id, status, error) is not None


_DELIVERY = """
SELECT outbox_id, stream_id, partner_id, name, body, created_at, status, attempts, referral_id,
       last_error, claimed_at, begun_at, tried_at, settled_at
FROM outbox o
"""

_GET = _DELIVERY + "WHERE outbox_id = $1"

_SEVERAL = _DELIVERY + "WHERE outbox_id = ANY ($1)"

_PENDING = _DELIVERY + "WHERE status = 'pending' ORDER BY line LIMIT $1"

_BY_HAND = _DELIVERY + "WHERE ($1::text IS NULL OR partner_id = $1) AND status = 'by_hand' ORDER BY line LIMIT $2"

_OF_PARTNER = _DELIVERY + "WHERE partner_id = $1 ORDER BY line DESC LIMIT $2"

_ABOUT = _DELIVERY + "WHERE stream_id = $1 AND referral_id = $2 AND partner_id = $3 ORDER BY line"

_EARLIER = (
    _DELIVERY
    + """
WHERE EXISTS (SELECT FROM outbox later WHERE later.outbox_id = $1 AND o.stream_id = later.stream_id
    AND o.referral_id = later.referral_id AND o.partner_id = later.partner_id AND o.line < later.line)
ORDER BY line
"""
)

_CLAIM = """
UPDATE outbox SET claimed_at = clock_timestamp(), held_revision = NULL WHERE outbox_id IN (
    SELECT outbox_id FROM outbox o
    WHERE status = 'pending' AND its_turn(o) AND (claimed_at IS NULL OR claimed_at <= clock_timestamp()
        - CASE WHEN held_revision IS NULL THEN $1::interval ELSE $2::interval END)
    ORDER BY line LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING outbox_id
"""

_RELEASED = """
UPDATE outbox SET claimed_at = clock_timestamp(), held_revision = NULL WHERE outbox_id IN (
    SELECT outbox_id FROM outbox o
    WHERE status = 'pending' AND held_revision IS NOT NULL
      AND held_revision <> (SELECT revision FROM streams s WHERE s.stream_id = o.stream_id) AND its_turn(o)
    ORDER BY line LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING outbox_id
"""

# A recording withdraws the same row, so the row lock orders the two: a withdrawn message is never sent.
_BEGIN = """
UPDATE outbox o SET begun_at = coalesce(o.begun_at, clock_timestamp()) FROM streams s
WHERE o.outbox_id = $1 AND o.status = 'pending' AND its_turn(o) AND s.stream_id = o.stream_id AND s.revision = $2
  AND NOT EXISTS (SELECT FROM inbox i WHERE i.stream_id = o.stream_id AND i.status = 'pending')
RETURNING 1
"""

_HOLD = "UPDATE outbox SET held_revision = $2 WHERE outbox_id = $1 AND status = 'pending' RETURNING 1"

_FAILED = """
UPDATE outbox SET attempts = attempts + 1, last_error = $2, tried_at = clock_timestamp()
WHERE outbox_id = $1 AND status = 'pending' RETURNING attempts
"""

_SETTLE = """
UPDATE outbox SET status = $2, settled_at = awda_now(), last_error = coalesce($3, last_error),
    attempts = attempts + CASE WHEN $2 = 'delivered' THEN 1 ELSE 0 END
WHERE outbox_id = $1 AND status = 'pending' RETURNING 1
"""

_TO_HAND = """
UPDATE outbox SET status = 'by_hand', last_error = $2 WHERE outbox_id = $1 AND status = 'pending' RETURNING 1
"""

# A recording moves the head and withdraws messages of ended referrals: the lock on the head orders the two.
_KNOWN = """
WITH stands AS MATERIALIZED (
    SELECT s.stream_id FROM streams s
    WHERE s.stream_id = $1 AND ($3::bigint IS NULL OR s.revision = $3 AND NOT EXISTS (
        SELECT FROM inbox i WHERE i.stream_id = s.stream_id AND i.status = 'pending' AND i.kind <> 'signal'))
    FOR SHARE OF s),
known AS (
    UPDATE outbox o SET begun_at = coalesce(o.begun_at, clock_timestamp()),
        status = CASE o.status WHEN 'by_hand' THEN 'delivered' ELSE o.status END,
        settled_at = CASE o.status WHEN 'by_hand' THEN awda_now() ELSE o.settled_at END
    FROM stands WHERE o.stream_id = stands.stream_id AND o.referral_id = $2 AND o.status IN ('pending', 'by_hand')
    RETURNING o.status)
SELECT (SELECT count(*) FROM stands), (SELECT count(*) FROM known WHERE status = 'delivered')
"""

_TAKEN_ALONG = """
UPDATE outbox o SET begun_at = coalesce(o.begun_at, clock_timestamp()) FROM streams s
WHERE o.outbox_id = $1 AND o.status = 'by_hand' AND s.stream_id = o.stream_id AND s.revision = $2
  AND NOT EXISTS (SELECT FROM inbox i WHERE i.stream_id = o.stream_id AND i.status = 'pending')
RETURNING 1
"""

_HANDED_OVER = """
UPDATE outbox SET status = 'delivered', settled_at = awda_now(), begun_at = coalesce(begun_at, clock_timestamp())
WHERE outbox_id = ANY ($1) AND status = 'by_hand' RETURNING 1
"""

_REDELIVER = """
UPDATE outbox SET status = 'pending', attempts = 0, claimed_at = NULL, settled_at = NULL, held_revision = NULL
WHERE outbox_id = $1 AND status IN ('dead', 'by_hand') RETURNING 1
"""
