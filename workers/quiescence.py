"""Waits for quiescence: no message pending, no deadline passed, no delivery under way, no stage about to open.

A demonstration moves its clock only then, so that what is recorded does not depend on the speed of the machine.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from time import monotonic
from typing import Any, Final
from uuid import UUID

import asyncpg

from domain.case.aggregate import Case
from domain.decider import about_to_open
from domain.kernel.context import Context
from domain.kernel.directory import Directory
from store.crypto.keys import KeyStore
from store.log.repository import Repository

POLL_INTERVAL_S: Final = 0.02

TIMEOUT_S: Final = 60.0


class NotQuiescentError(Exception):
    """The installation did not become quiescent within a minute."""


class Quiescence:
    """Checks the tables, and evaluates the rules for each case that has changed."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], keys: KeyStore) -> None:
        self.pool, self._repository = pool, Repository(pool, keys)
        self._cases: dict[UUID, Case] = {}
        self._opening: set[UUID] = set()

    async def wait(self, now: datetime) -> None:
        """Waits until all work that can be done at ``now`` (programme clock, UTC) is finished.

        Raises ``NotQuiescentError`` after a minute.
        """
        self._opening = set(self._cases)  # a stage that could not open at the last moment may open at this one
        until = monotonic() + TIMEOUT_S
        while await self._busy(now):
            if monotonic() > until:
                raise NotQuiescentError(f"Work is not finished: {await self._remaining()}. See the logs of the home.")
            await asyncio.sleep(POLL_INTERVAL_S)

    async def next_due(self) -> datetime | None:
        """Returns the earliest deadline of any open stream (UTC)."""
        found: datetime | None = await self.pool.fetchval("SELECT min(next_due) FROM streams WHERE open")
        return found

    async def _busy(self, now: datetime) -> bool:
        if await self.pool.fetchval(_BUSY):
            return True
        for stream_id, number, version in await self.pool.fetch(_CASES):
            known = self._cases.get(stream_id)
            if known is None or known.version != version:
                await self._catch_up(stream_id, number)
                self._opening.add(stream_id)
        self._opening = {stream_id for stream_id in self._opening if _stage_is_opening(self._cases[stream_id], now)}
        return bool(self._opening)

    async def _catch_up(self, stream_id: UUID, number: str) -> None:
        case = self._cases.setdefault(stream_id, Case(stream_id, number=number))
        for event in (await self._repository.load(stream_id, after=case.version)).events:
            event.mutate(case)

    async def _remaining(self) -> str:
        row: Any = await self.pool.fetchrow(_COUNTS)
        return ", ".join(f"{what}: {count}" for what, count in row.items()) + f", stages to open: {len(self._opening)}"


def _stage_is_opening(case: Case, now: datetime) -> bool:
    """Returns whether the workflow is about to order a stage open."""
    ctx = Context(at=now, recorded_at=now, actor="system", message_id=case.id, directory=Directory(), token=lambda: "")
    return bool(about_to_open(case, ctx))


_BUSY = """
SELECT EXISTS (SELECT FROM inbox WHERE status = 'pending' AND stream_id IS NOT NULL)
    OR EXISTS (SELECT FROM outgoing_now)
    OR EXISTS (SELECT FROM streams WHERE open AND next_due <= awda_now())
    OR EXISTS (SELECT FROM streams s LEFT JOIN case_list c USING (stream_id)
               WHERE s.kind = 'case' AND s.version > 0 AND s.version IS DISTINCT FROM c.version)
"""

_CASES = "SELECT stream_id, number, version FROM streams WHERE kind = 'case' AND open AND version > 0"

_COUNTS = """
SELECT (SELECT count(*) FROM inbox WHERE status = 'pending' AND stream_id IS NOT NULL) AS "pending messages",
       (SELECT count(*) FROM outgoing_now) AS "deliveries under way",
       (SELECT count(*) FROM streams WHERE open AND next_due <= awda_now()) AS "passed deadlines"
"""
