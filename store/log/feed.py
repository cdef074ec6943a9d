"""The log as one sequence, in an order that never changes under a reader.

Transactions commit in another order than they number their rows. The feed therefore goes by transaction id,
and stops before the oldest transaction still under way: what comes later can only be appended behind.
An open writing transaction anywhere in the cluster holds it back, so nothing else may share the cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import asyncpg


class Position(NamedTuple):
    """A place in the feed; positions compare in feed order."""

    xact: int = 0
    position: int = 0


@dataclass(frozen=True, slots=True)
class FeedRow:
    """An event in the feed, as stored. Times are UTC."""

    xact: int
    position: int
    stream_id: UUID
    version: int
    topic: str
    state: bytes
    event_id: UUID
    metadata: str
    hash: bytes
    recorded_at: datetime

    @property
    def at(self) -> Position:
        """Where to read on after this event."""
        return Position(self.xact, self.position)


START = Position()


async def read(pool: asyncpg.Pool[asyncpg.Record], after: Position = START, limit: int = 500) -> list[FeedRow]:
    """The next events after a position; fewer than ``limit`` means that there are no more for now."""
    found = await pool.fetch(_READ, str(after.xact), after.position, limit)
    return [FeedRow(int(row[0]), *row[1:]) for row in found]


async def end(pool: asyncpg.Pool[asyncpg.Record]) -> Position:
    """The position of the last event that can be read now."""
    row = await pool.fetchrow(_END)
    return Position(int(row[0]), row[1]) if row else START


async def place(pool: asyncpg.Pool[asyncpg.Record], stream_id: UUID, version: int) -> Position | None:
    """Where in the feed an event stands, whether or not the feed has come to it; ``None`` if there is no such event."""
    row = await pool.fetchrow(_PLACE, stream_id, version)
    return Position(int(row[0]), row[1]) if row else None


_READ = """
SELECT xact::text, position, stream_id, version, topic, state, event_id, metadata, hash, recorded_at FROM events
WHERE (xact, position) > ($1::text::xid8, $2) AND xact < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY events.xact, events.position LIMIT $3
"""

_END = """
SELECT xact::text, position FROM events WHERE xact < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY events.xact DESC, events.position DESC LIMIT 1
"""

_PLACE = "SELECT xact::text, position FROM events WHERE stream_id = $1 AND version = $2"
