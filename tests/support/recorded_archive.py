"""Stores cases that were built in memory with the rules in a real log, as a recording would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID, uuid4, uuid5

import asyncpg

from audit.verification.messages import SENDS_A_MESSAGE
from domain.kernel.event import Event, Metadata
from store.crypto.keys import KeyStore, MasterKey
from store.log.mapper import EventMapper
from store.log.recorder import Recorder
from store.log.rows import Changeset, MessageResult, NewEvent, OutgoingMessage
from store.messages.inbox import Inbox, IncomingMessage
from store.messages.outbox import outgoing

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

MASTER = MasterKey(bytes(range(32)))


@dataclass
class RecordedArchive:
    """A log filled with events, and the means to tamper with it."""

    pool: Pool
    owner: Pool
    keys: KeyStore = field(init=False)

    def __post_init__(self) -> None:
        self.keys = KeyStore(self.pool, MASTER)

    async def keep(
        self, events: Sequence[Event], *, kind: str = "case", number: str | None = None, **more: Any
    ) -> UUID:
        """Stores events as a new stream, all caused by its first message, and returns the id of the stream."""
        receipt = await Inbox(self.pool, self.keys).start_stream(kind, number, _message(uuid4()))
        assert receipt.stream_id is not None
        await self._write(receipt.stream_id, receipt.message_id, events, **more)
        return receipt.stream_id

    async def append(self, stream: UUID, events: Sequence[Event], **more: Any) -> UUID:
        """Appends events to a stream, caused by one more message, and returns the id of the message."""
        message = _message(uuid4(), stream)
        await Inbox(self.pool, self.keys).put(message)
        await self._write(stream, message.message_id, events, **more)
        return message.message_id

    async def _write(
        self,
        stream: UUID,
        message_id: UUID,
        events: Sequence[Event],
        *,
        claimed_at: datetime | None = None,
        recorded_at: datetime | None = None,
        **more: Any,
    ) -> None:
        """Writes events and their outgoing messages, recorded when they happened unless ``recorded_at`` is given."""
        loaded = await Recorder(self.pool).load(stream)
        assert loaded.head is not None
        keyring = self.keys.from_rows(stream, loaded.keys)
        mapper, first = EventMapper(keyring), loaded.head.version + 1
        new, out = list[NewEvent](), list[OutgoingMessage]()
        for version, event in enumerate(events, first):
            metadata = Metadata(
                happened_at=event.timestamp,
                recorded_at=recorded_at or event.timestamp,
                actor="staff:fatima",
                message_id=message_id,
                policy="2026-1",
                claimed_at=claimed_at,
            )
            placed = event.placed_in(stream, version, event.timestamp)
            new.append(mapper.to_new_event(placed, uuid5(message_id, str(version)), metadata))
            if event.TOPIC in SENDS_A_MESSAGE:
                out.append(
                    outgoing(keyring, uuid5(stream, f"outbox/{version}"), "clinic-tripoli", "referral.sent", b"{}")
                )
        settled = [MessageResult(message_id, "applied", '{"status":"applied"}', first + len(new) - 1)]
        plan = Changeset(
            stream, loaded.head.revision, loaded.head.hash, first, new, settled, out, **{"open": False, **more}
        )
        await Recorder(self.pool).write(plan)
        await self.pool.execute("UPDATE outbox SET status = 'delivered'")

    async def tamper(self, statement: str, *values: Any) -> None:
        """Changes rows as the owner of the database, without triggers. Fails if the statement changes no row."""
        async with self.owner.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            result = await connection.execute(statement, *values)
        assert not result.endswith(" 0"), "no row was changed, so the test would prove nothing"


def _message(message_id: UUID, stream: UUID | None = None) -> IncomingMessage:
    return IncomingMessage(message_id, stream, "staff", "staff.message", b"{}", "staff:fatima", "fatima")
