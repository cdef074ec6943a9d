"""The moment from which a stream is looked at: the programme's clock and the partners of today."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from audit.replay import Pool
from domain.kernel.context import Context
from domain.kernel.directory import Directory
from store.postgres import clock
from store.reference.directory import known_today


async def at_present(
    pool: Pool, stream_id: UUID, *, at: datetime | None = None, directory: Directory | None = None
) -> Context:
    """Now, or another moment (UTC), for asking what a case waits for. Nothing is ever decided with it."""
    moment = at or await clock.now(pool)
    known = directory if directory is not None else await known_today(pool, at)
    return Context(
        at=moment, recorded_at=moment, actor="system", message_id=stream_id, directory=known, token=_no_token
    )


def _no_token() -> str:
    raise RuntimeError("looking at a case sends nothing, so it needs no token")
