"""The inbox: accepts each message once (idempotent), and returns a receipt for a committed row."""

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
    """Another stream already has this number."""


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message as submitted. ``body``: canonical plaintext (JSON); ``claimed_at``: time by the sender's clock."""

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
    """The answer to the sender. ``conflicting``: the id was used before, for a different message."""

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
    """The status of a message, with its result once it is settled."""

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
        """Returns whether the status is final."""
        return self.status in SETTLED


def message_id_for(source: str, key: str) -> UUID:
    """Returns the id of a message, the same for each repetition. ``key`` must not be derived from personal data."""
    return uuid5(MESSAGES, f"{len(source)}:{source}{key}")


def stream_id_for(message_id: UUID) -> UUID:
    """Returns the id of the stream that a message starts."""
    return uuid5(message_id, "stream")


def place_of(message_id: UUID) -> str:
    """Returns the label to which the body of a message is bound when it is encrypted."""
    return f"inbox:{message_id}"


def fingerprint(master: MasterKey, name: str, stream_id: UUID, body: bytes) -> bytes:
    """Returns a keyed digest: equal for the same message to the same stream, useless for guessing the content."""
    return master.fingerprint(name.encode(), stream_id.bytes, body)


def open_waiting(keyring: Keyring, waiting: WaitingMessage) -> bytes | None:
    """Returns the body of a pending message, or ``None`` if its key has been destroyed. Raises ``TamperedError``."""
    return open_body(keyring, keyring.stream_id, place_of(waiting.message_id), waiting.body)


def letter(
    master: MasterKey, keyring: Keyring, message_id: UUID, name: str, body: bytes, **about: Any
) -> StreamMessage:
    """Returns a message from one stream to another, encrypted for the stream of the keyring."""
    stream = keyring.stream_id
    sealed = seal_body(keyring, stream, place_of(message_id), body)
    return StreamMessage(message_id, stream, name, sealed, fingerprint(master, name, stream, body), **about)


class Inbox:
    """Accepts messages, and reports their status."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], keys: KeyStore) -> None:
        self._pool = pool
        self._keys = keys

    async def put(self, message: IncomingMessage) -> Receipt:
        """Accepts a message, or returns the receipt of its first submission. One statement."""
        row = await self._pool.fetchrow(_PUT, *await self._columns(message, message.stream_id))
        return _receipt(message.message_id, row)

    async def start_case(self, message: IncomingMessage) -> Receipt:
        """Accepts the first message of a new case and assigns the next number. A repetition gets the same number."""
        return await self.start_stream("case", None, message)

    async def start_stream(self, kind: str, number: str | None, message: IncomingMessage) -> Receipt:
        """Accepts the first message of a new stream. Raises ``NumberTakenError``."""
        columns = await self._columns(message, stream_id_for(message.message_id))
        try:
            row = await self._pool.fetchrow(_START, *columns, kind, number)
        except asyncpg.UniqueViolationError:
            msg = f"{kind} {number} already exists: choose another number, or send the message to the existing {kind}"
            raise NumberTakenError(msg) from None
        return _receipt(message.message_id, row)

    async def result(self, message_id: UUID) -> MessageStatus | None:
        """Returns the status of a message, or ``None`` if it was never received."""
        row = await self._pool.fetchrow(_RESULT, message_id)
        return MessageStatus(**{**row, "result": _json(row["result"])}) if row else None

    async def wait_for(self, message_id: UUID, seconds: float) -> MessageStatus | None:
        """Returns the status once it is final, or after ``seconds`` (real clock) at the latest."""
        until = monotonic() + seconds
        while True:
            found = await self.result(message_id)
            if found is None or found.settled or monotonic() >= until:
                return found
            await asyncio.sleep(POLL_S)

    async def pending_streams(self, limit: int = 1000) -> list[UUID]:
        """Returns streams with pending messages, longest wait first."""
        return [row[0] for row in await self._pool.fetch(_PENDING, limit)]

    async def cases_with_pending(self, stream_ids: Sequence[UUID]) -> list[UUID]:
        """Returns those of the streams that are cases with pending messages."""
        return [row[0] for row in await self._pool.fetch(_PENDING_CASES, list(stream_ids))]

    async def due_streams(self, now: datetime, grace: timedelta, limit: int = 1000) -> list[UUID]:
        """Returns open streams whose next deadline passed more than ``grace`` ago."""
        return [row[0] for row in await self._pool.fetch(_DUE, now - grace, limit)]

    async def letters(self, messages: Iterable[tuple[UUID, UUID, str, bytes]], **about: Any) -> list[StreamMessage]:
        """Returns messages to other streams, each encrypted for its stream, from (message id, stream, name, body)."""
        drafts = list(messages)
        keyrings = await self._keys.keyrings(stream for _, stream, _, _ in drafts)
        master = self._keys.master
        return [
            letter(master, keyrings[stream], message_id, name, body, **about)
            for message_id, stream, name, body in drafts
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
        msg = f"The database returned no row for message {message_id}"
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
