"""What is known outside the cases today, as the rules want it: partners, announced holidays, return advisories."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from store.advisories import advised
from store.calendars import announced
from store.partners import directory

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

    from domain.moment import Directory


async def known_today(pool: asyncpg.Pool[asyncpg.Record], at: datetime | None = None) -> Directory:
    """The whole directory; with ``at`` (UTC), the advisories of that moment."""
    return replace(await directory(pool), holidays=await announced(pool), advisories=await advised(pool, at))
