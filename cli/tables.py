"""Lists from the read tables."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import asyncpg

from audit.case_view import when

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def cases(pool: Pool, *, phase: str | None, waiting_on: str | None, limit: int) -> list[dict[str, Any]]:
    """Returns up to ``limit`` cases by number; ``waiting_on`` is a code or the beginning of one."""
    rows = await pool.fetch(_CASES, phase.upper() if phase else None, waiting_on.upper() if waiting_on else None, limit)
    return [_with_times(row, "next_deadline", "opened_at", "updated_at") for row in rows]


async def movements(pool: Pool, limit: int) -> list[dict[str, Any]]:
    """Returns up to ``limit`` movements by scheduled departure."""
    return [_with_times(row, "std", "sta") for row in await pool.fetch(_MOVEMENTS, limit)]


async def tables(pool: Pool) -> list[dict[str, Any]]:
    """Returns the read tables, with the position each has reached and the number of events it is behind."""
    return [_with_times(row, "updated_at") for row in await pool.fetch(_TABLES)]


def _with_times(row: asyncpg.Record, *times: str) -> dict[str, Any]:
    return {**row, **{name: when(row[name]) for name in times}}


_CASES: Final = """
SELECT number AS case_number, phase, priority, country_of_return, office, waiting_on, holds, next_deadline, movement,
       version, opened_at, updated_at
FROM worklist
WHERE ($1::text IS NULL OR phase = $1) AND ($2::text IS NULL OR starts_with(waiting_on, $2))
ORDER BY number LIMIT $3
"""

_MOVEMENTS: Final = """
SELECT number, status, origin, destination, std, sta, capacity, cardinality(seats) AS reserved,
       cardinality(waiting) AS waiting, version
FROM movement_list ORDER BY std, number LIMIT $1
"""

_TABLES: Final = """
SELECT p.name, p.position, p.updated_at,
       (SELECT count(*) FROM events e WHERE (e.xact, e.position) > (p.xact, p.position)) AS behind
FROM projections p ORDER BY p.name
"""
