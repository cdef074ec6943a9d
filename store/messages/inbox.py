"""What comes in: taken once, however often it is sent, and answered with a receipt that is a committed row."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import asyncpg

from domain.kernel.event import NOWHERE
from store.log.mapper import open_body, seal_body
from store.log.rows import StreamMessage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from store.crypto.keys import Keyring, KeyStore, MasterKey
    from store.log.rows import WaitingMessage

MESSAGES: Final = uuid5(NAMESPACE_URL, "awda:message")

SETTLED: Final = frozenset({"applied", "ignored", "late", "quarantined", "refused"})

POLL_S: Final = 0.05


def encode_message(name: object, fields: Mapping[str, Any], reason: str | None = None) -> bytes:
    """Returns a message as the inbox stores it: canonical JSON, the same bytes for the same message."""
    body = {"message": name, "fields": fields, "reason": reason}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), default=str).encode()


class NumberTakenError(Exception):
    """Another stream already bears this number."""


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message as its sender gave it; ``body`` is its canonical plaintext, ``claimed_at`` by the sender's clock."""

    message_id: UUID
    stream_id: UUID | None
    kind: str
    name: str
    body: bytes
    actor: str
    source: str
    claimed_at: datetime | None = None
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sender may be told. ``conflicting``: the id was used before, for something else."""

    message_id: UUID
    stream_id: UUID | None
    status: str
    result: dict[str, Any] | None
    repeated: bool
    conflicting: bool
    receipt: str
    received_at: datetime
    number: str | None = None


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """What has become of a message so far."""

    message_id: UUID
    stream_id: UUID | None
    name: str
    status: str
    result: dict[str, Any] | None
    settled_version: int | None
    received_at: datetime
    settled_at: datetime | None

    @property
    def settled(self) -> bool:
        """Whether this is the last word on it."""
        return self.status in SETTLED


def message_id_for(source: str, key: str) -> UUID:
    """The id of a message, the same each time its sender sends it. ``key`` must not be made of personal data."""
    return uuid5(MESSAGES, f"{len(source)}:{source}{key}")


def stream_id_for(message_id: UUID) -> UUID:
    """The id of the stream that a message starts."""
    return uuid5(message_id, "stream")


def place_of(message_id: UUID) -> str:
    """Where a message's body is sealed to."""
    return f"inbox:{message_id}"


def fingerprint(master: MasterKey, name: str, stream_id: UUID, body: bytes) -> bytes:
    """Equal for the same message to the same stream, and of no use to anyone who would guess it."""
    return master.fingerprint(name.encode(), stream_id.bytes, body)


def open_waiting(keyring: Keyring, waiting: WaitingMessage) -> bytes | None:
    """The body of a waiting message, or ``None`` if its key has been destroyed. Raises ``Tampered``."""
    return open_body(keyring, keyring.stream_id, place_of(waiting.message_id), waiting.body)


def letter(
    master: MasterKey, keyring: Keyring, message_id: UUID, name: str, body: bytes, **about: Any
) -> StreamMessage:
    """A message from one stream to another, sealed for the one whose keyring this is."""
    stream = keyring.stream_id
    sealed = seal_body(keyring, stream, place_of(message_id), body)
    return StreamMessage(message_id, stream, name, sealed, fingerprint(master, name, stream, body), **about)


class Inbox:
    """The table of messages."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], keys: KeyStore) -> None:
        self._pool = pool
        self._keys = keys

    async def put(self, message: IncomingMessage) -> Receipt:
        """Take a message in, or say what became of it when it came before. One statement."""
        row = await self._pool.fetchrow(_PUT, *await self._columns(message, message.stream_id))
        return _receipt(message.message_id, row)

    async def start_case(self, message: IncomingMessage) -> Receipt:
        """Take in the first message of a new case, which gets the next number. A repeat gets the same one."""
        return await self.start_stream("case", None, message)

    async def start_stream(self, kind: str, number: str | None, message: IncomingMessage) -> Receipt:
        """Take in the first message of a new stream. Raises ``NumberTakenError``."""
        columns = await self._columns(message, stream_id_for(message.message_id))
        try:
            row = await self._pool.fetchrow(_START, *columns, kind, number)
        except asyncpg.UniqueViolationError:
            msg = (
                f"{kind} {number} exists already: give it another number, or send its message to the one that is there"
            )
            raise NumberTakenError(msg) from None
        return _receipt(message.message_id, row)

    async def result(self, message_id: UUID) -> MessageStatus | None:
        """What has become of a message, or ``None`` if it never came."""
        row = await self._pool.fetchrow(_RESULT, message_id)
        return MessageStatus(**{**row, "result": _json(row["result"])}) if row else None

    async def wait_for(self, message_id: UUID, seconds: float) -> MessageStatus | None:
        """The same, once it is settled or so many seconds (of the real clock) have gone."""
        until = monotonic() + seconds
        while True:
            found = await self.result(message_id)
            if found is None or found.settled or monotonic() >= until:
                return found
            await asyncio.sleep(POLL_S)

    async def pending_streams(self, limit: int = 1000) -> list[UUID]:
        """Streams with messages that nobody has looked at, longest wait first."""
        return [row[0] for row in await self._pool.fetch(_PENDING, limit)]

    async def cases_with_pending(self, stream_ids: Sequence[UUID]) -> list[UUID]:
        """Of these streams, the cases with messages that nobody has settled."""
        return [row[0] for row in await self._pool.fetch(_PENDING_CASES, list(stream_ids))]

    async def due_streams(self, now: datetime, grace: timedelta, limit: int = 1000) -> list[UUID]:
        """Open streams whose next deadline passed longer ago than the grace."""
        return [row[0] for row in await self._pool.fetch(_DUE, now - grace, limit)]

    async def letters(self, messages: Iterable[tuple[UUID, UUID, str, bytes]], **about: Any) -> list[StreamMessage]:
        """Letters (message id, stream, name, body) to many streams, each sealed under its stream's key."""
        wanted = list(messages)
        rings = await self._keys.keyrings(stream for _, stream, _, _ in wanted)
        master = self._keys.master
        return [
            letter(master, rings[stream], message_id, name, body, **about) for message_id, stream, name, body in wanted
        ]

    async def _columns(self, message: IncomingMessage, stream_id: UUID | None) -> tuple[Any, ...]:
        stream = stream_id or NOWHERE
        sealed = seal_body(await self._keys.keyring(stream), stream, place_of(message.message_id), message.body)
        digest = fingerprint(self._keys.master, message.name, stream, message.body)
        return (
            *(message.message_id, stream_id, message.kind, message.name, sealed, digest),
            *(message.actor, message.source, message.claimed_at, message.receipt or str(message.message_id)),
        )


def _receipt(message_id: UUID, row: asyncpg.Record | None) -> Receipt:
    if row is None:
        msg = f"the database gave no answer about message {message_id}"
        raise RuntimeError(msg)
    repeated, conflicting, stream_id, status, result, receipt, received_at, *number = row
    return Receipt(message_id, stream_id, status, _json(result), repeated, conflicting, receipt, received_at, *number)


def _json(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)


_PUT = "SELECT * FROM put_message($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"

_START = "SELECT * FROM start_stream($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"

_RESULT = """
SELECT message_id, stream_id, name, status, result, settled_version, received_at, settled_at
FROM inbox WHERE message_id = $1
"""

_PENDING = """
SELECT stream_id FROM inbox WHERE status = 'pending' AND stream_id IS NOT NULL
GROUP BY stream_id ORDER BY min(received_at), min(arrival) LIMIT $1
"""

_PENDING_CASES = """
SELECT stream_id FROM streams s WHERE stream_id = ANY ($1) AND kind = 'case'
  AND EXISTS (SELECT FROM inbox i WHERE i.stream_id = s.stream_id AND i.status = 'pending')
"""

_DUE = "SELECT stream_id FROM streams WHERE open AND next_due <= $1 ORDER BY next_due LIMIT $2"
