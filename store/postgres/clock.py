"""The programme's clock: the real one, except in a demo home, where it stands still until it is moved on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg


class RealClockError(Exception):
    """The clock is the real one, which nobody moves."""


class ClockBackwardsError(ValueError):
    """The clock would go back, and what is recorded would lie in the future."""


async def now(pool: asyncpg.Pool[asyncpg.Record]) -> datetime:
    """What time it is for the programme (UTC)."""
    moment: datetime = await pool.fetchval("SELECT awda_now()")
    return moment


async def stands_still(pool: asyncpg.Pool[asyncpg.Record]) -> bool:
    """Whether this is a demo home."""
    return bool(await pool.fetchval("SELECT EXISTS (SELECT FROM programme_clock)"))


async def stand_still(owner: asyncpg.Pool[asyncpg.Record], at: datetime) -> None:
    """Make this a demo home, whose clock stands at a moment. Only the database's owner may."""
    await owner.execute("INSERT INTO programme_clock (stands_at) VALUES ($1) ON CONFLICT (only_row) DO NOTHING", at)


async def move(pool: asyncpg.Pool[asyncpg.Record], to: datetime) -> datetime:
    """Move the clock of a demo home on.

    Raises ``RealClockError`` elsewhere, ``ClockBackwardsError`` if that would be in the past.
    """
    moved: datetime | None = await pool.fetchval(
        "UPDATE programme_clock SET stands_at = $1 WHERE stands_at <= $1 RETURNING stands_at", to
    )
    if moved is None:
        raise await _unmoved(pool, to)
    return moved


async def _unmoved(pool: asyncpg.Pool[asyncpg.Record], to: datetime) -> Exception:
    if not await stands_still(pool):
        return RealClockError("this home keeps real time: only the clock of a demo home can be moved")
    return ClockBackwardsError(f"the clock stands at {await now(pool)} and cannot go back to {to}: name a later moment")
