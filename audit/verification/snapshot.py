"""Consistent snapshots of streams: head, events, messages, keys and read tables, read in one transaction.

A case may change during the verification. The parts of one snapshot are consistent with one another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg

from audit.replay import Pool
from domain.kernel.event import NOWHERE
from store.crypto.keys import Keyring, KeyRow, KeyStore
from store.log.feed import Position
from store.log.rows import EventRow, StreamHead
from store.projections.projection import LIVE
from store.projections.projector import PROJECTIONS

Record: TypeAlias = asyncpg.Record

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

AT_ONCE: Final = 50
"""How many streams one transaction reads."""


@dataclass(frozen=True)
class Snapshot:
    """One stream with its rows in all tables. ``events`` have every column; ``shown`` are its rows of read tables."""

    head: StreamHead
    events: Sequence[Record]
    inbox: Sequence[Record]
    outbox: Sequence[Record]
    keys: Sequence[KeyRow]
    shown: Mapping[str, Sequence[Record]]
    positions: Mapping[str, Position]

    @property
    def rows(self) -> list[EventRow]:
        """Returns the events as the store's rows."""
        return [EventRow(*(event[name] for name in ROW)) for event in self.events]

    def keyring(self, keys: KeyStore) -> Keyring:
        return keys.from_rows(self.head.stream_id, self.keys)


ROW: Final = ("stream_id", "version", "topic", "state", "event_id", "metadata", "hash", "recorded_at")


async def snapshots(pool: Pool, only: UUID | None = None) -> AsyncIterator[list[Snapshot]]:
    """Yields batches of all streams, in the order of their ids, or only one stream."""
    last = NOWHERE
    while True:
        batch = await _batch(pool, last, only)
        if not batch:
            return
        yield batch
        if only is not None:
            return
        last = batch[-1].head.stream_id


async def _batch(pool: Pool, after: UUID, only: UUID | None) -> list[Snapshot]:
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        heads = [StreamHead(*row) for row in await connection.fetch(_HEADS, after, only, AT_ONCE)]
        streams = [head.stream_id for head in heads]
        events, inbox, outbox, keys = [_by_stream(await connection.fetch(sql, streams)) for sql in _PARTS]
        shown = {
            name: _by_stream(await connection.fetch(view.select(LIVE), streams)) for name, view in PROJECTIONS.items()
        }
        positions = await _positions(connection)
    return [
        Snapshot(
            head,
            events[head.stream_id],
            inbox[head.stream_id],
            outbox[head.stream_id],
            [KeyRow(row["key_id"], row["wrapped"]) for row in keys[head.stream_id]],
            {name: rows[head.stream_id] for name, rows in shown.items()},
            positions,
        )
        for head in heads
    ]


async def _positions(connection: Connection) -> dict[str, Position]:
    found = await connection.fetch("SELECT name, xact::text AS at_xact, position FROM projections")
    return {row["name"]: Position(int(row["at_xact"]), row["position"]) for row in found}


def _by_stream(found: Iterable[Record]) -> Mapping[Any, list[Record]]:
    rows = defaultdict[Any, list[Record]](list)
    for row in found:
        rows[row["stream_id"]].append(row)
    return rows


_HEADS = """
SELECT stream_id, kind, number, revision, version, hash, opened_at, next_due, open FROM streams
WHERE CASE WHEN $2::uuid IS NULL THEN stream_id > $1 ELSE stream_id = $2 END ORDER BY stream_id LIMIT $3
"""

_EVENTS = """
SELECT stream_id, version, topic, state, event_id, metadata, hash, recorded_at, xact::text AS at_xact, position
FROM events WHERE stream_id = ANY ($1) ORDER BY stream_id, version
"""

_INBOX = """
SELECT message_id, stream_id, kind, actor, status, settled_version, settled_at, received_at, body, result,
       resolved_by
FROM inbox WHERE stream_id = ANY ($1)
"""

_OUTBOX = """
SELECT outbox_id, stream_id, status, body FROM outbox WHERE stream_id = ANY ($1)
"""

_KEYS = "SELECT stream_id, key_id, wrapped FROM case_keys WHERE stream_id = ANY ($1)"

_PARTS: Final = (_EVENTS, _INBOX, _OUTBOX, _KEYS)
