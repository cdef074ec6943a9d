"""Puts cases that were driven through the rules in memory into a real log, as a recording would have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID, uuid4, uuid5

import asyncpg

from audit.verification.messages import GOES_OUT
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
    """A log to look at."""

    pool: Pool
    owner: Pool
    keys: KeyStore = field(init=False)

    def __post_init__(self) -> None:
        self.keys = KeyStore(self.pool, MASTER)

    async def keep(
        self, events: Sequence[Event], *, kind: str = "case", number: str | None = None, **more: Any
    ) -> UUID:
        """A new stream with these events, all brought about by the message that started it."""
        receipt = await Inbox(self.pool, self.keys).start_stream(kind, number, _message(uuid4()))
        assert receipt.stream_id is not None
        await self._write(receipt.stream_id, receipt.message_id, events, **more)
        return receipt.stream_id

    async def append(self, stream: UUID, events: Sequence[Event], **more: Any) -> UUID:
        """More events on a stream, brought about by one more message."""
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
        """Recorded when it happened, unless told otherwise; with what goes out to partners."""
        loaded = await Recorder(self.pool).load(stream)
        assert loaded.head is not None
        keyring = self.keys.from_rows(stream, loaded.keys)
        mapper, first = EventMapper(keyring), loaded.head.version + 1
        new, out = list[NewEvent](), list[OutgoingMessage]()
        for version, event in enumerate(events, first):
            about = Metadata(
                happened_at=event.timestamp,
                recorded_at=recorded_at or event.timestamp,
                actor="staff:fatima",
                message_id=message_id,
                policy="2026-1",
                claimed_at=claimed_at,
            )
            placed = event.placed_in(stream, version, event.timestamp)
            new.append(mapper.to_new_event(placed, uuid5(message_id, str(version)), about))
            if event.TOPIC in GOES_OUT:
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
        """What someone with every right could do to the database, behind the programme's back."""
        async with self.owner.acquire() as hand, hand.transaction():
            await hand.execute("SET LOCAL session_replication_role = replica")
            done = await hand.execute(statement, *values)
        assert not done.endswith(" 0"), "nothing was changed, so the test proves nothing"


def _message(message_id: UUID, stream: UUID | None = None) -> IncomingMessage:
    return IncomingMessage(message_id, stream, "staff", "staff.message", b"{}", "staff:fatima", "fatima")
