"""The daily digest of escalations: unanswered referrals above the first level, by partner and kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    import asyncpg

    Pool = asyncpg.Pool[asyncpg.Record]


@dataclass(frozen=True, slots=True)
class EscalationCount:
    """The number of referrals of a (public) kind and partner that reached a level on a day (Libyan time)."""

    day: date
    partner_id: str
    kind: str
    timeliness: str
    referrals: int
    since: datetime


async def digest(pool: Pool, since: date | None = None) -> list[EscalationCount]:
    """Returns the digest of all unanswered referrals, or of those escalated since a day; newest day first."""
    return [EscalationCount(*row) for row in await pool.fetch(_DIGEST, since)]


_DIGEST = """
SELECT day, partner_id, kind, timeliness, referrals, since FROM escalation_digest
WHERE $1::date IS NULL OR day >= $1
ORDER BY day DESC, timeliness DESC, referrals DESC, partner_id, kind
"""
