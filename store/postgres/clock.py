"""The programme clock: the real clock, except in a demo home, where it is stopped and moved by command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg


class RealClockError(Exception):
    """The programme clock is the real clock, which cannot be moved."""


class ClockBackwardsError(ValueError):
    """The clock would move backwards, and recorded events would be in the future."""


async def now(pool: asyncpg.Pool[asyncpg.Record]) -> datetime:
    """Returns the time of the programme clock (UTC)."""
    time: datetime = await pool.fetchval("SELECT awda_now()")
    return time


async def is_stopped(pool: asyncpg.Pool[asyncpg.Record]) -> bool:
    """Returns whether the clock is stopped, that is, whether this is a demo home."""
    return bool(await pool.fetchval("SELECT EXISTS (SELECT FROM programme_clock)"))


async def stop(owner: asyncpg.Pool[asyncpg.Record], at: datetime) -> None:
    """Stops the clock at a time (UTC) and so makes this a demo home. Requires the owner of the database."""
    await owner.execute("INSERT INTO programme_clock (stands_at) VALUES ($1) ON CONFLICT (only_row) DO NOTHING", at)


async def move(pool: asyncpg.Pool[asyncpg.Record], to: datetime) -> datetime:
    """Moves the clock of a demo home forward and returns the new time (UTC).

    Raises ``RealClockError`` if this is not a demo home, and ``ClockBackwardsError`` if ``to`` is in the past.
    """
    moved: datetime | None = await pool.fetchval(
        "UPDATE programme_clock SET stands_at = $1 WHERE stands_at <= $1 RETURNING stands_at", to
    )
    if moved is None:
        raise await _unmoved(pool, to)
    return moved


async def _unmoved(pool: asyncpg.Pool[asyncpg.Record], to: datetime) -> Exception:
    if not await is_stopped(pool):
        return RealClockError("This installation uses the real clock: only the clock of a demo home can be moved")
    return ClockBackwardsError(
        f"The clock is at {await now(pool)} and cannot be moved back to {to}: choose a later time"
    )
