"""Return advisories: all versions are kept, so that an auditor can see which one applied at a time.

Each case that may rely on the previous advisory is notified by a message, whose id is derived from the change and the
case, so that a repetition has no effect.
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
    """The version already exists for the place, with another level."""


@dataclass(frozen=True, slots=True)
class AdvisoryChange:
    """An advisory, with its basis and who set it. ``news``: whether this call created it."""

    advisory: Advisory
    basis: str
    changed_by: str
    news: bool = False


@dataclass(frozen=True, slots=True)
class AffectedCase:
    """A case to notify of a change, and the id of the message."""

    stream_id: UUID
    number: str
    message_id: UUID


async def change(
    pool: Pool, country: str, area: str | None, level: AdvisoryLevel, version: str, *, basis: str, by: str
) -> AdvisoryChange:
    """Sets the advisory of a place from now on (idempotent). Raises ``AdvisoryVersionTakenError``."""
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
        raise AdvisoryVersionTakenError(
            f"Version {version} of the advisory for {known.advisory.place} already has the level"
            f" {known.advisory.level.replace('_', ' ').lower()}: choose another version"
        )
    return known


async def changes(pool: Pool, country: str | None = None) -> list[AdvisoryChange]:
    """Returns all advisories, or those of one country, newest first."""
    rows = await pool.fetch(f"{_CHANGES} WHERE $1::text IS NULL OR country = $1 ORDER BY number DESC", country)
    return [_change(row) for row in rows]


async def advised(pool: Pool, at: datetime | None = None) -> tuple[Advisory, ...]:
    """Returns the advisories in force today or at a time (UTC): the latest of each country and area."""
    return tuple(_change(row).advisory for row in await pool.fetch(_LAST, at))


async def addressees(pool: Pool, advisory: Advisory) -> list[AffectedCase]:
    """Returns the cases that were open at the change and may rely on the previous advisory, passengers first.

    Includes cases whose row in the projection is missing or outdated.
    """
    rows = await pool.fetch(_MAY_RETURN, advisory.since, advisory.country, [*LEFT])
    return [AffectedCase(row[0], row[1], message_id_for(SOURCE, f"{advisory.number}/{row[1]}")) for row in rows]


async def mark_notified(pool: Pool, advisory: Advisory) -> None:
    """Marks that all affected cases have been notified of an advisory."""
    await pool.execute("INSERT INTO advisories_told (number) VALUES ($1) ON CONFLICT DO NOTHING", advisory.number)


async def not_notified(pool: Pool) -> list[Advisory]:
    """Returns the advisories in force whose affected cases have not all been notified."""
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
