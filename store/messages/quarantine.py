"""Quarantined messages: they wait for a decision by staff, or for a referral token that does not exist yet.

A message that is released to a case is encrypted again for that case and becomes pending there exactly once. It keeps
its time of receipt, so that it is processed in the order of receipt.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from domain.events.signal import MessageQuarantined
from domain.kernel.event import NOWHERE
from store.log.mapper import KeyErasedError, open_body, seal_body
from store.messages.inbox import place_of
from store.messages.ledger import token_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    from store.crypto.keys import KeyStore

    Connection = PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]

log = logging.getLogger("awda.quarantine")

DESKS: Final = uuid5(NAMESPACE_URL, "awda:desk")

BATCH: Final = 1000

OWN_DESK: Final = "awda"
"""The id of the desk that decides about messages that no partner sent."""

UNPROCESSED: Final = MessageQuarantined.TOPIC
"""The event by which a case records a message that it could not process."""


@dataclass(frozen=True, slots=True)
class QuarantinedMessage:
    """A message held for review. ``doubted_at``: the version at which its case recorded the quarantine, if it did."""

    message_id: UUID
    stream_id: UUID | None
    number: str | None
    name: str
    actor: str
    source: str
    partner_id: str | None
    contradicts: UUID | None
    ledger_number: int | None
    received_at: datetime
    cause: str
    detail: str | None
    signal_id: str | None
    referral_id: str | None
    referral_kind: str | None
    doubted_at: int | None
    kind: str
    doubt_topic: str | None

    @property
    def desk(self) -> str:
        """Returns the id of the desk that decides about it if its case does not."""
        return self.partner_id or OWN_DESK

    @property
    def content_unknown(self) -> bool:
        """Returns whether its content is unknown to its case, which blocks travel until it is decided."""
        return self.doubt_topic == UNPROCESSED


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as stored: its stream and its encrypted body."""

    message_id: UUID
    stream_id: UUID | None
    body: bytes


@dataclass(frozen=True, slots=True)
class ResealedMessage:
    """A message encrypted for the case that it is released to. ``out_of``: the stream that it was stored in."""

    message_id: UUID
    out_of: UUID | None
    stream_id: UUID
    body: bytes


class Quarantine:
    """The messages held for review."""

    def __init__(self, pool: Pool, keys: KeyStore) -> None:
        self._pool, self._keys = pool, keys

    async def doubts(self, partner_id: str | None = None, limit: int = 200) -> list[QuarantinedMessage]:
        """Returns messages held for review, of one partner or of all, longest wait first."""
        return [QuarantinedMessage(*row) for row in await self._pool.fetch(_DOUBTS, partner_id, limit)]

    async def doubt(self, message_id: UUID) -> QuarantinedMessage | None:
        """Returns one message if it is held for review."""
        row = await self._pool.fetchrow(_DOUBT, message_id)
        return QuarantinedMessage(*row) if row else None

    async def content(self, message_id: UUID) -> dict[str, Any] | None:
        """Returns the content of a message; ``None`` if unknown or its key is destroyed. Raises ``TamperedError``."""
        stored = await self._kept(message_id)
        plain = None if stored is None else await self._opened(stored)
        return None if plain is None else json.loads(plain)

    async def ready(
        self, message_id: UUID, stream_id: UUID, changed: Callable[[bytes], bytes] = lambda body: body
    ) -> ResealedMessage | None:
        """Returns a message encrypted for a case, or ``None`` if it is unknown or its key is destroyed.

        ``changed`` may replace its referral token. Raises ``KeyErasedError`` if the keys of the case are destroyed.
        """
        stored = await self._kept(message_id)
        plain = None if stored is None else await self._opened(stored)
        if stored is None or plain is None:
            return None
        sealed = seal_body(await self._keys.keyring(stream_id), stream_id, place_of(message_id), changed(plain))
        return ResealedMessage(message_id, stored.stream_id, stream_id, sealed)

    async def release(self, ready: ResealedMessage, connection: Pool | Connection | None = None) -> bool:
        """Releases a message to its case. Returns whether it was still held: only one of two callers succeeds."""
        columns = (ready.message_id, ready.out_of, ready.stream_id, ready.body)
        taken: bool = await (connection or self._pool).fetchval(_TAKE_UP, *columns)
        return taken

    async def set_aside(self, connection: Pool | Connection, message_id: UUID, by: UUID) -> bool:
        """Sets a message aside, by the decision in the message ``by``. Returns whether it was still held."""
        return await connection.fetchval(_SET_ASIDE, message_id, by) is not None

    async def release_early(self) -> set[UUID]:
        """Releases all messages whose token has been issued since. Returns the cases to notify."""
        if not await self._pool.fetchval(_WAITS_FOR_TOKENS):
            return set()
        await self._hash_tokens()
        found = await self._pool.fetch(_EARLY, BATCH)
        return {row["stream_id"] for row in found if await self._release_early(row["message_id"], row["stream_id"])}

    async def _release_early(self, message_id: UUID, stream_id: UUID) -> bool:
        try:
            ready = await self.ready(message_id, stream_id)
        except KeyErasedError:
            await self._pool.execute(_NEVER, message_id)
            return False
        taken = ready is not None and await self.release(ready)
        if taken:
            log.info("message %s was released to its case", message_id)
        return taken

    async def _hash_tokens(self) -> None:
        """Stores the digests of tokens that have none yet."""
        while rows := await self._pool.fetch(_UNHASHED, BATCH):
            hashes = [token_hash(self._keys.master, row["partner_id"], row["token"]) for row in rows]
            await self._pool.execute(_HASH, [row["token"] for row in rows], hashes)

    async def note_resolved(self) -> None:
        """Marks the messages whose quarantine their case has resolved, so that later queries need not read the log."""
        await self._pool.execute(_NOTE_RESOLVED)

    async def _kept(self, message_id: UUID) -> StoredMessage | None:
        row = await self._pool.fetchrow(
            "SELECT message_id, stream_id, body FROM inbox WHERE message_id = $1", message_id
        )
        return StoredMessage(*row) if row else None

    async def _opened(self, stored: StoredMessage) -> bytes | None:
        stream = stored.stream_id or NOWHERE
        return open_body(await self._keys.keyring(stream), stream, place_of(stored.message_id), stored.body)


def desk_of(partner_id: str) -> UUID:
    """Returns the id of the stream that records what staff decided about the messages of a partner."""
    return uuid5(DESKS, partner_id)


async def open_desk(connection: Pool | Connection, partner_id: str) -> None:
    """Creates the desk stream of a partner if it does not exist."""
    await connection.execute(_OPEN_DESK, desk_of(partner_id), f"DESK-{partner_id.upper()}")


def readdressed(body: bytes, token: str) -> bytes:
    """Returns the signal with another referral token; the original token is stored in ``quoted``."""
    message = json.loads(body)
    message["quoted"] = message["fields"]["referral_token"]
    message["fields"]["referral_token"] = token
    return json.dumps(message, sort_keys=True, separators=(",", ":")).encode()


_COLUMNS = """
SELECT message_id, stream_id, number, name, actor, source, partner_id, contradicts, seq, received_at, cause, detail,
       signal_id, referral_id, referral_kind, doubted_at, kind, doubt_topic
FROM quarantine
"""

_DOUBTS = _COLUMNS + "WHERE $1::text IS NULL OR partner_id = $1 ORDER BY received_at, arrival LIMIT $2"

_DOUBT = _COLUMNS + "WHERE message_id = $1"

_TAKE_UP = "SELECT take_up($1, $2, $3, $4)"

_OPEN_DESK = "INSERT INTO streams (stream_id, kind, number) VALUES ($1, 'desk', $2) ON CONFLICT DO NOTHING"

_SET_ASIDE = """
UPDATE inbox SET resolved_by = $2, token_hash = NULL
WHERE message_id = $1 AND status = 'quarantined' AND resolved_by IS NULL RETURNING 1
"""

_WAITS_FOR_TOKENS = "SELECT EXISTS (SELECT FROM inbox WHERE token_hash IS NOT NULL)"

_UNHASHED = "SELECT token, partner_id FROM referral_tokens WHERE token_hash IS NULL LIMIT $1"

_HASH = """
UPDATE referral_tokens r SET token_hash = h.token_hash
FROM unnest($1::text[], $2::bytea[]) AS h (token, token_hash) WHERE r.token = h.token
"""

_EARLY = """
SELECT i.message_id, r.stream_id FROM inbox i JOIN referral_tokens r ON r.token_hash = i.token_hash
WHERE i.token_hash IS NOT NULL AND i.status = 'quarantined' AND i.resolved_by IS NULL
ORDER BY i.received_at, i.arrival LIMIT $1
"""

_NEVER = """
UPDATE inbox SET token_hash = NULL, result = '{"cause": "ERASED", "status": "quarantined"}'
WHERE message_id = $1 AND status = 'quarantined'
"""

_NOTE_RESOLVED = """
UPDATE inbox i SET resolved_by = (resolved.metadata::jsonb ->> 'message_id')::uuid
FROM events doubt, events resolved
WHERE i.status = 'quarantined' AND i.resolved_by IS NULL AND i.stream_id IS NOT NULL
  AND doubt.stream_id = i.stream_id AND doubt.topic = 'PartnerSignalQuarantined'
  AND doubt.metadata::jsonb ->> 'message_id' = i.message_id::text
  AND resolved.stream_id = i.stream_id AND resolved.topic = 'QuarantinedSignalResolved'
  AND resolved.version > doubt.version
  AND convert_from(resolved.state, 'UTF8')::jsonb ->> 'signal_id'
    = convert_from(doubt.state, 'UTF8')::jsonb ->> 'signal_id'
"""
