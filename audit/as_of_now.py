"""The context for queries: the programme's clock and today's partners, holidays and advisories."""

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
    """Returns a context for queries, for example what a case waits for. It is never used for a decision.

    ``at`` is the time of the context (UTC); by default it is the programme's present time.
    """
    time = at or await clock.now(pool)
    known = directory if directory is not None else await known_today(pool, at)
    return Context(at=time, recorded_at=time, actor="system", message_id=stream_id, directory=known, token=_no_token)


def _no_token() -> str:
    raise RuntimeError("a query sends no referral and must not create a token")
