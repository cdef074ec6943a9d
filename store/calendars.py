"""Holidays that were announced since the calendars were published: the evening before is early enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import asyncpg

    Pool = asyncpg.Pool[asyncpg.Record]


async def announce(pool: Pool, country: str, day: date, name: str) -> bool:
    """A country's offices are closed on that day. Whether this was news."""
    announced = await pool.fetchval(
        "INSERT INTO holidays (country, day, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING 1",
        country,
        day,
        name,
    )
    return announced is not None


async def announced(pool: Pool) -> Mapping[str, frozenset[date]]:
    """All of them, by country (ISO 3166, alpha-3)."""
    found = await pool.fetch("SELECT country, array_agg(day) AS days FROM holidays GROUP BY country")
    return {each["country"]: frozenset(each["days"]) for each in found}
