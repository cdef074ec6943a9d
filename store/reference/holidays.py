"""Holidays announced after the calendars were published, possibly only the evening before."""

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
    """A day on which offices of a country (ISO 3166, alpha-3) are closed, and who announced it."""

    country: str
    day: date
    name: str
    announced_at: datetime
    announced_by: str


async def announce(pool: Pool, country: str, day: date, name: str, *, by: str = "system") -> bool:
    """Records that offices of a country are closed on a day. Returns whether it was not recorded yet."""
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
    """Returns all announced holidays by country (ISO 3166, alpha-3)."""
    found = await pool.fetch("SELECT country, array_agg(day) AS days FROM holidays GROUP BY country")
    return {each["country"]: frozenset(each["days"]) for each in found}


async def announcements(pool: Pool, country: str | None = None) -> list[Holiday]:
    """Returns all announcements, or those of one country, ordered by day."""
    rows = await pool.fetch(
        """SELECT country, day, name, announced_at, announced_by FROM holidays
        WHERE $1::text IS NULL OR country = $1 ORDER BY day, country""",
        country,
    )
    return [Holiday(*row) for row in rows]
