"""What is advised about places of return: kept as it was said, so that an auditor finds what counted when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.advisory import Advisory
from domain.words import AdvisoryLevel

if TYPE_CHECKING:
    from collections.abc import Iterable

    import asyncpg

    Pool = asyncpg.Pool[asyncpg.Record]


class VersionTaken(Exception):
    """Something else was said about this place under this version before."""


@dataclass(frozen=True, slots=True)
class Change:
    """An advisory, on which basis it was set, and by whom. ``news``: whether it was not known before."""

    advisory: Advisory
    basis: str
    changed_by: str
    news: bool = False


async def change(
    pool: Pool, country: str, area: str | None, level: AdvisoryLevel, version: str, *, basis: str, by: str
) -> Change:
    """From now on this is advised about that place. Raises ``VersionTaken``."""
    inserted = await pool.fetchval(
        """INSERT INTO return_advisories (country, area, level, version, basis, changed_by)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING 1""",
        *(country, area, level, version, basis, by),
    )
    (found,) = await pool.fetch(
        f"{_CHANGES} WHERE country = $1 AND area IS NOT DISTINCT FROM $2 AND version = $3", country, area, version
    )
    known = _change(found, news=inserted is not None)
    if known.advisory.level is not level:
        raise VersionTaken(f"{version} says {known.advisory.level} about {known.advisory.place} already")
    return known


async def changes(pool: Pool, country: str | None = None) -> list[Change]:
    """All of them, or those of one country, the newest first."""
    rows = await pool.fetch(f"{_CHANGES} WHERE $1::text IS NULL OR country = $1 ORDER BY since DESC, version", country)
    return [_change(row) for row in rows]


async def advised(pool: Pool) -> tuple[Advisory, ...]:
    """What counts today: of each country and each part of one, what was said last."""
    rows = await pool.fetch(_TODAY)
    return tuple(_change(row).advisory for row in rows)


def _change(row: Iterable[Any], *, news: bool = False) -> Change:
    country, area, level, version, since, basis, changed_by = row
    return Change(Advisory(country, area, AdvisoryLevel(level), version, since), basis, changed_by, news)


_COLUMNS = "country, area, level, version, since, basis, changed_by"
_CHANGES = f"SELECT {_COLUMNS} FROM return_advisories"  # noqa: S608 (constants)
_TODAY = f"SELECT DISTINCT ON (country, area) {_COLUMNS} FROM return_advisories ORDER BY country, area, since DESC"  # noqa: S608
