"""What is advised about places of return: kept as it was said, so that an auditor finds what counted when.

Each case that may rest on what was advised before is told, by a message whose id follows from the change and the case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from domain.kernel.advisory import Advisory
from domain.kernel.vocabulary import AdvisoryLevel, Phase
from store.messages.inbox import message_id_for

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    Pool = asyncpg.Pool[asyncpg.Record]

SOURCE: Final = "advisory"

LEFT: Final = (Phase.POST_ARRIVAL, Phase.CLOSED)


class AdvisoryVersionTakenError(Exception):
    """Something else was said about this place under this version before."""


@dataclass(frozen=True, slots=True)
class AdvisoryChange:
    """An advisory, on which basis it was set, and by whom. ``news``: whether it was not known before."""

    advisory: Advisory
    basis: str
    changed_by: str
    news: bool = False


@dataclass(frozen=True, slots=True)
class AffectedCase:
    """A case that is told of a change, and the id of the message by which it is."""

    stream_id: UUID
    number: str
    message_id: UUID


async def change(
    pool: Pool, country: str, area: str | None, level: AdvisoryLevel, version: str, *, basis: str, by: str
) -> AdvisoryChange:
    """From now on this is advised about that place. Raises ``AdvisoryVersionTakenError``."""
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
        raise AdvisoryVersionTakenError(f"{version} says {known.advisory.level} about {known.advisory.place} already")
    return known


async def changes(pool: Pool, country: str | None = None) -> list[AdvisoryChange]:
    """All of them, or those of one country, the newest first."""
    rows = await pool.fetch(f"{_CHANGES} WHERE $1::text IS NULL OR country = $1 ORDER BY number DESC", country)
    return [_change(row) for row in rows]


async def advised(pool: Pool, at: datetime | None = None) -> tuple[Advisory, ...]:
    """What counts today, or did at a moment (UTC): of each country and each part of one, what was said last."""
    return tuple(_change(row).advisory for row in await pool.fetch(_LAST, at))


async def addressees(pool: Pool, told: Advisory) -> list[AffectedCase]:
    """The cases that were open when it changed and may rest on what was advised before, passengers first.

    With those whose row in the list of cases is not there yet, or is behind.
    """
    rows = await pool.fetch(_MAY_RETURN, told.since, told.country, [*LEFT])
    return [AffectedCase(row[0], row[1], message_id_for(SOURCE, f"{told.number}/{row[1]}")) for row in rows]


async def all_told(pool: Pool, told: Advisory) -> None:
    """The telling has come to its end."""
    await pool.execute("INSERT INTO advisories_told (number) VALUES ($1) ON CONFLICT DO NOTHING", told.number)


async def untold(pool: Pool) -> list[Advisory]:
    """The advisories of today of which the telling was interrupted."""
    done = {row[0] for row in await pool.fetch("SELECT number FROM advisories_told")}
    return [each for each in await advised(pool) if each.number not in done]


def _change(row: Iterable[Any], *, news: bool = False) -> AdvisoryChange:
    country, area, level, version, number, since, basis, changed_by = row
    return AdvisoryChange(
        Advisory(country, area, AdvisoryLevel(level), version, number, since), basis, changed_by, news
    )


_COLUMNS = "country, area, level, version, number, since, basis, changed_by"

_CHANGES = f"SELECT {_COLUMNS} FROM return_advisories"  # noqa: S608 (constants)

_LAST = f"""
SELECT DISTINCT ON (country, area) {_COLUMNS} FROM return_advisories
WHERE $1::timestamptz IS NULL OR since <= $1 ORDER BY country, area, number DESC
"""  # noqa: S608

_MAY_RETURN = """
SELECT s.stream_id, s.number FROM streams s LEFT JOIN case_list c USING (stream_id)
WHERE s.kind = 'case' AND s.open AND s.opened_at <= $1
  AND (c.country_of_return = $2 AND c.phase <> ALL ($3::text[]) OR coalesce(c.version, 0) < s.version)
ORDER BY c.movement IS NULL, s.number
"""
