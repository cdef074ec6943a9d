"""What is known outside the cases today, as the rules want it: partners, announced holidays, return advisories."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from store.partners.registry import directory
from store.reference.advisories import advised
from store.reference.holidays import announced

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

    from domain.kernel.directory import Directory


async def known_today(pool: asyncpg.Pool[asyncpg.Record], at: datetime | None = None) -> Directory:
    """The whole directory; with ``at`` (UTC), the advisories of that moment."""
    return replace(await directory(pool), holidays=await announced(pool), advisories=await advised(pool, at))
