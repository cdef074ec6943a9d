"""Look-ups of streams: by number, by id, by referral token, or all open ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.log.rows import StreamHead

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

_HEAD = "SELECT stream_id, kind, number, revision, version, hash, opened_at, next_due, open FROM streams"


async def by_number(pool: asyncpg.Pool[asyncpg.Record], number: str) -> StreamHead | None:
    """Returns the stream with this number (``LBY-2026-000001``), or ``None``."""
    row = await pool.fetchrow(_HEAD + " WHERE number = $1", number)
    return StreamHead(*row) if row else None


async def by_id(pool: asyncpg.Pool[asyncpg.Record], stream_id: UUID) -> StreamHead | None:
    """Returns the stream with this id, or ``None``."""
    row = await pool.fetchrow(_HEAD + " WHERE stream_id = $1", stream_id)
    return StreamHead(*row) if row else None


async def heads(pool: asyncpg.Pool[asyncpg.Record], stream_ids: list[UUID]) -> dict[UUID, StreamHead]:
    """Returns the heads of several streams, by id. Unknown ids are left out."""
    return {row[0]: StreamHead(*row) for row in await pool.fetch(_HEAD + " WHERE stream_id = ANY ($1)", stream_ids)}


async def open_streams(pool: asyncpg.Pool[asyncpg.Record], kind: str | None = None) -> list[StreamHead]:
    """Returns all open streams, oldest first, of one ``kind`` if given."""
    query = _HEAD + " WHERE open AND ($1::text IS NULL OR kind = $1) ORDER BY opened_at, stream_id"
    return [StreamHead(*row) for row in await pool.fetch(query, kind)]


async def route(pool: asyncpg.Pool[asyncpg.Record], token: str) -> tuple[UUID, str, str] | None:
    """Returns the stream, referral and partner that a referral token stands for, or ``None``."""
    row = await pool.fetchrow("SELECT stream_id, referral_id, partner_id FROM referral_tokens WHERE token = $1", token)
    return (row[0], row[1], row[2]) if row else None
