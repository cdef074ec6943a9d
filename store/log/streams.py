"""Finding a stream: by its number, or because it is still open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.log.rows import StreamHead

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

_HEAD = "SELECT stream_id, kind, number, revision, version, hash, opened_at, next_due, open FROM streams"


async def by_number(pool: asyncpg.Pool[asyncpg.Record], number: str) -> StreamHead | None:
    """The stream that bears a number (``LBY-2026-000001``), or ``None``."""
    row = await pool.fetchrow(_HEAD + " WHERE number = $1", number)
    return StreamHead(*row) if row else None


async def by_id(pool: asyncpg.Pool[asyncpg.Record], stream_id: UUID) -> StreamHead | None:
    """The stream with an id, or ``None``."""
    row = await pool.fetchrow(_HEAD + " WHERE stream_id = $1", stream_id)
    return StreamHead(*row) if row else None


async def heads(pool: asyncpg.Pool[asyncpg.Record], stream_ids: list[UUID]) -> dict[UUID, StreamHead]:
    """The heads of several streams, for a decision that rests on all of them."""
    return {row[0]: StreamHead(*row) for row in await pool.fetch(_HEAD + " WHERE stream_id = ANY ($1)", stream_ids)}


async def open_streams(pool: asyncpg.Pool[asyncpg.Record], kind: str | None = None) -> list[StreamHead]:
    """Every stream for which something is still awaited, oldest first."""
    query = _HEAD + " WHERE open AND ($1::text IS NULL OR kind = $1) ORDER BY opened_at, stream_id"
    return [StreamHead(*row) for row in await pool.fetch(query, kind)]


async def route(pool: asyncpg.Pool[asyncpg.Record], token: str) -> tuple[UUID, str, str] | None:
    """Where a partner's answer belongs: stream, referral and partner of the token it quotes."""
    row = await pool.fetchrow("SELECT stream_id, referral_id, partner_id FROM referral_tokens WHERE token = $1", token)
    return (row[0], row[1], row[2]) if row else None
