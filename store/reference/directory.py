"""The directory: reference data that the rules use, that is partners, announced holidays and return advisories."""

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
    """Returns the directory as it is now; with ``at`` (UTC), with the advisories in force at that time."""
    return replace(await directory(pool), holidays=await announced(pool), advisories=await advised(pool, at))
