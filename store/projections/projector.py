"""The projector: updates the projections from the feed. It applies a page of events in memory and writes once per page.

Rows and position are written in one transaction, by compare-and-set on the old position: two projectors cannot both
apply a page. An event that cannot be read is registered in ``quarantined_rows`` and skipped; the projector continues.
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
"""Called with the number of events applied so far."""

PROJECTIONS: Final[Mapping[str, Projection]] = {
    projection.name: projection for projection in (CASE_LIST, REFERRAL_LIST, MOVEMENT_LIST)
}

PAGE: Final = 2000

POLL_S: Final = 0.02

CACHED_ROWS: Final = 5000

FAR: Final = Position(2**63 - 1, 2**63 - 1)


class ConcurrentProjectorError(Exception):
    """Another projector has already applied this page."""


class UnknownProjectionError(LookupError):
    """There is no projection with this name."""


async def positions(pool: Pool, schema: str = LIVE, names: Iterable[str] = PROJECTIONS) -> dict[str, Position]:
    """Returns the position of each projection in the feed."""
    found = await pool.fetch(f"SELECT name, xact::text, position FROM {schema}.projections")  # noqa: S608 (our own names)
    known = {row["name"]: Position(int(row["xact"]), row["position"]) for row in found}
    return {name: known[name] for name in names}


@dataclass
class Projector:
    """Keeps projections of one schema up to date. Caches rows between pages, until another projector writes."""

    pool: Pool
    projections: Sequence[Projection] = tuple(PROJECTIONS.values())
    schema: str = LIVE
    page: int = PAGE
    positions: dict[str, Position] = field(default_factory=dict)
    cached: dict[str, dict[Any, Row]] = field(default_factory=dict)
    known: dict[str, set[UUID]] = field(default_factory=dict)

    async def catch_up(self, upto: Position = FAR, progress: Progress = None) -> int:
        """Applies all events that can be read now, at most up to a position. Returns their number."""
        total = 0
        while True:
            try:
                applied = await self.advance(upto)
            except ConcurrentProjectorError:
                self._forget()
                continue
            if applied is None:
                return total
            total += applied
            if progress:
                progress(total)

    async def advance(self, upto: Position = FAR) -> int | None:
        """Applies one page; returns ``None`` if there is none. Raises ``ConcurrentProjectorError``."""
        if not self.positions:
            self.positions = await positions(
                self.pool, self.schema, [projection.name for projection in self.projections]
            )
        behind, until = self._behind(upto)
        after = self.positions[behind[0].name]
        page = await self.pool.fetch(_PAGE, str(after.xact), after.position, str(until.xact), until.position, self.page)
        if not page:
            return None
        await self._apply(behind, after, page)
        return len(page)

    def _behind(self, upto: Position) -> tuple[list[Projection], Position]:
        """Returns the projections furthest behind, and the position where they meet the next one, to share pages."""
        first = min(self.positions.values())
        behind = [projection for projection in self.projections if self.positions[projection.name] == first]
        ahead = [position for position in self.positions.values() if position > first]
        return behind, min([*ahead, upto])

    async def _apply(self, projections: Sequence[Projection], after: Position, page: Sequence[asyncpg.Record]) -> None:
        to = Position(int(page[-1]["xact"]), page[-1]["position"])
        unreadable = [(record, "unknown topic") for record in page if record["topic"] not in REGISTRY]
        changed = {}
        for projection in projections:
            rows = await self._rows(projection, page)
            changed[projection.name] = fold(projection, rows, page, unreadable)
        await self._write(projections, after, to, changed, unreadable)
        self.positions |= dict.fromkeys(changed, to)

    async def _rows(self, projection: Projection, page: Sequence[asyncpg.Record]) -> dict[Any, Row]:
        """Returns the rows that a page may change: cached rows, and those of streams not read before."""
        rows, known = self.cached.setdefault(projection.name, {}), self.known.setdefault(projection.name, set())
        if len(rows) > CACHED_ROWS:
            rows.clear()
            known.clear()
        streams_here = {record["stream_id"] for record in page if projection.concerns(record["topic"])} - known
        if streams_here:
            rows |= projection.read(await self.pool.fetch(projection.select(self.schema), list(streams_here)))
            known |= streams_here
        return rows

    async def _write(
        self,
        projections: Sequence[Projection],
        after: Position,
        to: Position,
        changed: Mapping[str, Sequence[Row]],
        unreadable: Collection[tuple[asyncpg.Record, str]],
    ) -> None:
        try:
            async with self.pool.acquire() as connection, connection.transaction():
                await self._move(connection, projections, after, to)
                for projection in projections:
                    if rows := changed[projection.name]:
                        await connection.execute(projection.upsert(self.schema), *projection.arrays(rows))
                if unreadable:
                    await connection.executemany(_QUARANTINE, _quarantined(unreadable))
        except BaseException:
            self._forget()  # the cached rows were not written
            raise

    async def _move(
        self, connection: Connection, projections: Sequence[Projection], after: Position, to: Position
    ) -> None:
        names = [projection.name for projection in projections]
        bounds = (str(after.xact), after.position, str(to.xact), to.position)
        moved = await connection.fetch(_MOVE.format(schema=self.schema), names, *bounds)
        if len(moved) != len(projections):
            raise ConcurrentProjectorError(
                f"Another projector has moved {', '.join(names)} on from {after}: read the position again"
            )

    def _forget(self) -> None:
        self.positions, self.cached, self.known = {}, {}, {}


def fold(
    projection: Projection,
    rows: dict[Any, Row],
    page: Iterable[asyncpg.Record],
    unreadable: list[tuple[asyncpg.Record, str]],
) -> list[Row]:
    """Applies a page to rows. Returns the changed rows; adds events that cannot be applied to ``unreadable``."""
    changed: dict[Any, None] = {}
    for record in page:
        try:
            key = projection.fold(rows, record)
        except (KeyError, ValueError, TypeError, AttributeError) as unfit:
            log.error("stream %s version %s cannot be projected", record["stream_id"], record["version"])  # noqa: TRY400 (no values in logs)
            unreadable.append((record, f"{projection.name}: {type(unfit).__name__}"))
            continue
        if key is not None:
            changed[key] = None
    return [rows[key] for key in changed]


async def wait_for(
    pool: Pool, stream_id: UUID, version: int, seconds: float, *, names: Iterable[str] = PROJECTIONS
) -> bool:
    """Waits until projections show a version of a stream, at most ``seconds`` (real clock). Returns whether they do."""
    until, required = monotonic() + seconds, tuple(names)
    while True:
        position = await feed.place(pool, stream_id, version)
        if position and min((await positions(pool, LIVE, required)).values()) >= position:
            return True
        if monotonic() >= until:
            return False
        await asyncio.sleep(POLL_S)


def named(name: str) -> Projection:
    """Returns the projection with this name. Raises ``UnknownProjectionError``."""
    if name not in PROJECTIONS:
        raise UnknownProjectionError(f"There is no projection {name!r}: use one of {', '.join(PROJECTIONS)}")
    return PROJECTIONS[name]


def _quarantined(unreadable: Iterable[tuple[asyncpg.Record, str]]) -> list[tuple[Any, ...]]:
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
