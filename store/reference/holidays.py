"""Holidays that were announced since the calendars were published: the evening before is early enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    import asyncpg

    Pool = asyncpg.Pool[asyncpg.Record]


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day on which a country's offices are closed, and who said so; the country by ISO 3166, alpha-3."""

    country: str
    day: date
    name: str
    announced_at: datetime
    announced_by: str


async def announce(pool: Pool, country: str, day: date, name: str, *, by: str = "system") -> bool:
    """A country's offices are closed on that day. Whether this was news."""
    announced = await pool.fetchval(
        """INSERT INTO holidays (country, day, name, announced_by) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING RETURNING 1""",
        country,
        day,
        name,
        by,
    )
    return announced is not None


async def announced(pool: Pool) -> Mapping[str, frozenset[date]]:
    """All of them, by country (ISO 3166, alpha-3)."""
    found = await pool.fetch("SELECT country, array_agg(day) AS days FROM holidays GROUP BY country")
    return {each["country"]: frozenset(each["days"]) for each in found}


async def announcements(pool: Pool, country: str | None = None) -> list[Holiday]:
    """All of them, or those of one country, by day."""
    rows = await pool.fetch(
        """SELECT country, day, name, announced_at, announced_by FROM holidays
        WHERE $1::text IS NULL OR country = $1 ORDER BY day, country""",
        country,
    )
    return [Holiday(*row) for row in rows]
