"""What goes out: each message to a partner, until it is delivered, dead or withdrawn.

A partner without a receiver gets its messages by hand: such a row is alive until somebody has brought it. Messages of
one referral keep their order: none leaves before what came earlier is settled.
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

NO_REVISION: Final = -1  # no stream ever stands there

HELD_FOR: Final = timedelta(hours=1)
"""When a message that may not leave is looked at again, although nothing was heard of its case."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to a partner and how far it has come; ``body`` is sealed.

    ``attempts`` counts those that came to nothing and the one that did not. ``begun_at`` (since when the partner may
    know of it), ``tried_at`` and ``claimed_at`` are by the real clock; ``created_at`` and ``settled_at`` by the
    programme's.
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
    """Where a message's body is sealed to."""
    return f"outbox:{outbox_id}"


def outbox_id_of(stream_id: UUID, version: int) -> UUID:
    """The message that the event at this version of a stream puts out."""
    return uuid5(stream_id, f"outbox/{version}")


def outgoing(
    keyring: Keyring, outbox_id: UUID, partner_id: str, name: str, body: bytes, *, referral_id: str | None = None
) -> OutgoingMessage:
    """A message to a partner, sealed for the stream whose keyring this is."""
    sealed = seal_body(keyring, keyring.stream_id, place_of(outbox_id), body)
    return OutgoingMessage(outbox_id, partner_id, name, sealed, referral_id)


def open_delivery(keyring: Keyring, delivery: Delivery) -> bytes | None:
    """The body to deliver, or ``None`` if its key has been destroyed. Raises ``Tampered``."""
    return open_body(keyring, delivery.stream_id, place_of(delivery.outbox_id), delivery.body)


class Outbox:
    """The table of deliveries. A delivery is settled once; what comes after that changes nothing and says so."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    # Looking

    async def get(self, outbox_id: UUID) -> Delivery | None:
        """One delivery, or ``None`` if there is no such."""
        row = await self._pool.fetchrow(_GET, outbox_id)
        return Delivery(*row) if row else None

    async def several(self, outbox_ids: Sequence[UUID]) -> list[Delivery]:
        """These deliveries, as far as there are such."""
        return [Delivery(*row) for row in await self._pool.fetch(_SEVERAL, outbox_ids)]

    async def pending(self, limit: int = 100) -> list[Delivery]:
        """Deliveries not yet settled, oldest first."""
        return [Delivery(*row) for row in await self._pool.fetch(_PENDING, limit)]

    async def by_hand(self, partner_id: str | None = None, limit: int = 1000) -> list[Delivery]:
        """What somebody has to bring to a partner, or to any, oldest first."""
        return [Delivery(*row) for row in await self._pool.fetch(_BY_HAND, partner_id, limit)]

    async def of_partner(self, partner_id: str, limit: int = 100) -> list[Delivery]:
        """What a partner was or is to be told, newest first."""
        return [Delivery(*row) for row in await self._pool.fetch(_OF_PARTNER, partner_id, limit)]

    async def earlier(self, delivery: Delivery) -> list[Delivery]:
        """What the partner was to be told of the same referral before, oldest first."""
        return [Delivery(*row) for row in await self._pool.fetch(_EARLIER, delivery.outbox_id)]

    async def about(self, stream_id: UUID, referral_id: str, partner_id: str) -> list[Delivery]:
        """All that a partner was to be told of a referral, oldest first."""
        return [Delivery(*row) for row in await self._pool.fetch(_ABOUT, stream_id, referral_id, partner_id)]

    # Leaving

    async def claim(self, limit: int = 100, again_after: timedelta = AGAIN_AFTER) -> list[UUID]:
        """Deliveries to start now: it is their turn, and they were never claimed, or long ago (real clock).

        Nobody else gets the same ones.
        """
        return [row[0] for row in await self._pool.fetch(_CLAIM, again_after, HELD_FOR, limit)]

    async def released(self, limit: int = 100) -> list[UUID]:
        """Deliveries held back whose case has gone on since, or whose turn has come: to be looked at again, once."""
        return [row[0] for row in await self._pool.fetch(_RELEASED, limit)]

    async def begin(self, outbox_id: UUID, revision: int) -> bool:
        """From now on the partner may know. False if it must not leave as was decided at that revision of its stream.

        That is so when it was settled meanwhile, when the stream has gone on or is about to, or out of turn.
        """
        return await self._pool.fetchval(_BEGIN, outbox_id, revision) is not None

    async def hold(self, outbox_id: UUID, revision: int | None = None) -> bool:
        """Keep it back while its stream stands at that revision; without one, only until it is its turn.

        Whether there was anything to keep back.
        """
        return await self._pool.fetchval(_HOLD, outbox_id, NO_REVISION if revision is None else revision) is not None

    async def failed(self, outbox_id: UUID, error: str) -> int:
        """One more attempt came to nothing. Returns how many there have been; ``error`` names no person."""
        return await self._pool.fetchval(_FAILED, outbox_id, error) or 0

    # Settling

    async def delivered(self, outbox_id: UUID) -> bool:
        """The partner has it. Whether this was news."""
        return await self._settle(outbox_id, "delivered", None)

    async def dead(self, outbox_id: UUID, error: str | None) -> bool:
        """Nobody will try again by itself. Whether this was news."""
        return await self._settle(outbox_id, "dead", error)

    async def withdraw(self, outbox_id: UUID) -> bool:
        """It must not go out any more. Whether this was news."""
        return await self._settle(outbox_id, "withdrawn", None)

    # By people

    async def to_hand(self, outbox_id: UUID, why: str) -> bool:
        """Somebody brings it: it is not settled, but no longer ours to deliver. Whether this was news."""
        return await self._pool.fetchval(_TO_HAND, outbox_id, why) is not None

    async def handed_over(self, outbox_id: UUID) -> bool:
        """Somebody has brought it. Whether it was to be brought by hand."""
        return await self._pool.fetchval(_HANDED_OVER, [outbox_id]) is not None

    async def handed_over_referral(self, stream_id: UUID, referral_id: str) -> int:
        """Somebody has brought whatever was to be brought of a referral. Returns how many messages that were.

        What is still to be delivered is delivered all the same, but its partner may know of it from now on.
        """
        return (await self._known(stream_id, referral_id))[1]

    async def shown(self, stream_id: UUID, referral_id: str, revision: int) -> bool:
        """A partner is about to see a referral itself, on a page or a sheet: like handing over, and as was decided.

        False if its stream has gone on since that revision or is about to: then nothing is marked, or may be shown.
        """
        return bool((await self._known(stream_id, referral_id, revision))[0])

    async def _known(self, stream_id: UUID, referral_id: str, revision: int | None = None) -> tuple[int, int]:
        """Whether its stream stands there, and how many messages were brought by this."""
        row = await self._pool.fetchrow(_KNOWN, stream_id, referral_id, revision)
        return (row[0], row[1]) if row else (0, 0)

    async def taken_along(self, outbox_id: UUID, revision: int) -> bool:
        """Somebody has what is to be brought in their hand: its partner may know of it from now on.

        False if it is not to be brought any more, or its stream has gone on since that revision or is about to.
        """
        return await self._pool.fetchval(_TAKEN_ALONG, outbox_id, revision) is not None

    async def redeliver(self, outbox_id: UUID) -> bool:
        """Try a dead letter, or one that was to be brought by hand, anew under its old id. Whether it was one."""
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

# Whoever records withdraws the row itself, so the two take turns at it: what was taken back before is never begun.
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

# Whoever records moves the head and withdraws what has ended: by the lock the two take turns.
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
