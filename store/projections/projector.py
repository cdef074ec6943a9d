"""Carries the log into the read tables: a page of the feed is folded in memory and written once, with its position.

Rows and position move in one transaction, by compare-and-set on the old position: two projectors cannot both apply
a page. What cannot be read is noted in ``quarantined_rows`` and passed over; the projector lives.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg

from domain import streams  # noqa: F401 (declares every topic)
from domain.kernel.event import REGISTRY
from store.log import feed
from store.log.feed import Position
from store.projections.case_list import CASE_LIST
from store.projections.movement_list import MOVEMENT_LIST
from store.projections.projection import LIVE, Projection, Row
from store.projections.referral_list import REFERRAL_LIST

log = logging.getLogger("awda.projector")

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

Progress: TypeAlias = "Callable[[int], object] | None"
"""Told how many events have been carried over so far."""

PROJECTIONS: Final[Mapping[str, Projection]] = {view.name: view for view in (CASE_LIST, REFERRAL_LIST, MOVEMENT_LIST)}

PAGE: Final = 2000

POLL_S: Final = 0.02

KEPT: Final = 5000

FAR: Final = Position(2**63 - 1, 2**63 - 1)


class ConcurrentProjectorError(Exception):
    """Another projector has written this page."""


class UnknownProjectionError(LookupError):
    """There is no read table of that name."""


async def positions(pool: Pool, schema: str = LIVE, names: Iterable[str] = PROJECTIONS) -> dict[str, Position]:
    """How far each read table has come in the feed."""
    found = await pool.fetch(f"SELECT name, xact::text, position FROM {schema}.projections")  # noqa: S608 (our own names)
    known = {row["name"]: Position(int(row["xact"]), row["position"]) for row in found}
    return {name: known[name] for name in names}


@dataclass
class Projector:
    """Keeps some views of one schema up to date. Rows stay in memory between pages, until somebody else writes."""

    pool: Pool
    views: Sequence[Projection] = tuple(PROJECTIONS.values())
    schema: str = LIVE
    page: int = PAGE
    positions: dict[str, Position] = field(default_factory=dict)
    kept: dict[str, dict[Any, Row]] = field(default_factory=dict)
    known: dict[str, set[UUID]] = field(default_factory=dict)

    async def catch_up(self, upto: Position = FAR, progress: Progress = None) -> int:
        """Carry over all that can be read now, at most up to a position. Returns how many events that were."""
        total = 0
        while True:
            try:
                carried = await self.advance(upto)
            except ConcurrentProjectorError:
                self._forget()
                continue
            if carried is None:
                return total
            total += carried
            if progress:
                progress(total)

    async def advance(self, upto: Position = FAR) -> int | None:
        """Carry one page over; ``None`` if there is none. Raises ``ConcurrentProjectorError``."""
        if not self.positions:
            self.positions = await positions(self.pool, self.schema, [view.name for view in self.views])
        behind, until = self._behind(upto)
        after = self.positions[behind[0].name]
        page = await self.pool.fetch(_PAGE, str(after.xact), after.position, str(until.xact), until.position, self.page)
        if not page:
            return None
        await self._carry(behind, after, page)
        return len(page)

    def _behind(self, upto: Position) -> tuple[list[Projection], Position]:
        """The views furthest behind, and where they meet the next: from there on all read the same pages."""
        first = min(self.positions.values())
        behind = [view for view in self.views if self.positions[view.name] == first]
        ahead = [position for position in self.positions.values() if position > first]
        return behind, min([*ahead, upto])

    async def _carry(self, views: Sequence[Projection], after: Position, page: Sequence[asyncpg.Record]) -> None:
        to = Position(int(page[-1]["xact"]), page[-1]["position"])
        unreadable = [(record, "its topic is not declared here") for record in page if record["topic"] not in REGISTRY]
        changed = {}
        for view in views:
            rows = await self._rows(view, page)
            changed[view.name] = fold(view, rows, page, unreadable)
        await self._write(views, after, to, changed, unreadable)
        self.positions |= dict.fromkeys(changed, to)

    async def _rows(self, view: Projection, page: Sequence[asyncpg.Record]) -> dict[Any, Row]:
        """The rows that a page may change: those kept, and those of streams not seen before."""
        rows, known = self.kept.setdefault(view.name, {}), self.known.setdefault(view.name, set())
        if len(rows) > KEPT:
            rows.clear()
            known.clear()
        streams_here = {record["stream_id"] for record in page if view.concerns(record["topic"])} - known
        if streams_here:
            rows |= view.read(await self.pool.fetch(view.select(self.schema), list(streams_here)))
            known |= streams_here
        return rows

    async def _write(
        self,
        views: Sequence[Projection],
        after: Position,
        to: Position,
        changed: Mapping[str, Sequence[Row]],
        unreadable: Collection[tuple[asyncpg.Record, str]],
    ) -> None:
        try:
            async with self.pool.acquire() as connection, connection.transaction():
                await self._move(connection, views, after, to)
                for view in views:
                    if rows := changed[view.name]:
                        await connection.execute(view.upsert(self.schema), *view.arrays(rows))
                if unreadable:
                    await connection.executemany(_QUARANTINE, _noted(unreadable))
        except BaseException:
            self._forget()  # what is in memory was not written
            raise

    async def _move(self, connection: Connection, views: Sequence[Projection], after: Position, to: Position) -> None:
        names = [view.name for view in views]
        places = (str(after.xact), after.position, str(to.xact), to.position)
        moved = await connection.fetch(_MOVE.format(schema=self.schema), names, *places)
        if len(moved) != len(views):
            raise ConcurrentProjectorError(f"somebody else has carried {', '.join(names)} on from {after}: read again")

    def _forget(self) -> None:
        self.positions, self.kept, self.known = {}, {}, {}


def fold(
    view: Projection,
    rows: dict[Any, Row],
    page: Iterable[asyncpg.Record],
    unreadable: list[tuple[asyncpg.Record, str]],
) -> list[Row]:
    """Fold a page into rows. Returns the rows it changed; what cannot be folded is added to ``unreadable``."""
    changed: dict[Any, None] = {}
    for record in page:
        try:
            key = view.fold(rows, record)
        except (KeyError, ValueError, TypeError, AttributeError) as unfit:
            log.error("stream %s version %s cannot be shown", record["stream_id"], record["version"])  # noqa: TRY400 (no values in logs)
            unreadable.append((record, f"{view.name}: {type(unfit).__name__}"))
            continue
        if key is not None:
            changed[key] = None
    return [rows[key] for key in changed]


async def wait_for(
    pool: Pool, stream_id: UUID, version: int, seconds: float, *, names: Iterable[str] = PROJECTIONS
) -> bool:
    """Wait until the read tables show a version of a stream, at most so long (real seconds). Whether they do."""
    until, wanted = monotonic() + seconds, tuple(names)
    while True:
        place = await feed.place(pool, stream_id, version)
        if place and min((await positions(pool, LIVE, wanted)).values()) >= place:
            return True
        if monotonic() >= until:
            return False
        await asyncio.sleep(POLL_S)


def named(name: str) -> Projection:
    """The read table of that name. Raises ``UnknownProjectionError``."""
    if name not in PROJECTIONS:
        raise UnknownProjectionError(f"no read table {name!r}: there are {', '.join(PROJECTIONS)}")
    return PROJECTIONS[name]


def _noted(unreadable: Iterable[tuple[asyncpg.Record, str]]) -> list[tuple[Any, ...]]:
    return [(record["stream_id"], record["version"], record["topic"], detail) for record, detail in unreadable]


_PAGE = """
SELECT xact::text, position, stream_id, version, topic, state, metadata, recorded_at FROM events
WHERE (xact, position) > ($1::text::xid8, $2) AND (xact, position) <= ($3::text::xid8, $4)
  AND xact < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY events.xact, events.position LIMIT $5
"""

_MOVE = """
UPDATE {schema}.projections SET xact = $4::text::xid8, position = $5, updated_at = clock_timestamp()
WHERE name = ANY ($1) AND xact = $2::text::xid8 AND position = $3 RETURNING name
"""

_QUARANTINE = """
INSERT INTO quarantined_rows (stream_id, version, topic, detail) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
