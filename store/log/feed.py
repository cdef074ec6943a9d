"""The event feed: all events of the log in one order that does not change for a reader.

Transactions do not commit in the order in which they number their rows. The feed is therefore ordered by transaction
id (``xid8``) and stops before the oldest transaction that is still open: later events can only be appended after it.
An open write transaction anywhere in the cluster delays the feed, so nothing else may share the cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import asyncpg


class Position(NamedTuple):
    """A position in the feed. Positions compare in feed order."""

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
        """Returns the position after which reading continues."""
        return Position(self.xact, self.position)


START = Position()


async def read(pool: asyncpg.Pool[asyncpg.Record], after: Position = START, limit: int = 500) -> list[FeedRow]:
    """Returns the next events after a position. Fewer than ``limit`` means that the reader has caught up."""
    found = await pool.fetch(_READ, str(after.xact), after.position, limit)
    return [FeedRow(int(row[0]), *row[1:]) for row in found]


async def end(pool: asyncpg.Pool[asyncpg.Record]) -> Position:
    """Returns the position of the last event that can be read now."""
    row = await pool.fetchrow(_END)
    return Position(int(row[0]), row[1]) if row else START


async def place(pool: asyncpg.Pool[asyncpg.Record], stream_id: UUID, version: int) -> Position | None:
    """Returns the position of an event, also if the feed does not show it yet; ``None`` if there is no such event."""
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
