"""Whether everybody has finished: nothing waits, nothing is due, nothing leaves, no stage is about to open.

A demonstration moves its clock only then, so that what is recorded never depends on how fast a machine is.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from time import monotonic
from typing import Any, Final
from uuid import UUID

import asyncpg

from domain.case.aggregate import Case
from domain.decider import may_open
from domain.kernel.context import Context
from domain.kernel.directory import Directory
from domain.procedure import NEWEST
from domain.progress import Progress, stages_to_open
from store.crypto.keys import KeyStore
from store.log.repository import Repository

LOOK_EVERY_S: Final = 0.02

PATIENCE_S: Final = 60.0


class NotQuiescentError(Exception):
    """Something has not come to rest for a minute."""


class Quiescence:
    """Looks at the tables, and at each changed case through the rules."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], keys: KeyStore) -> None:
        self.pool, self._repository = pool, Repository(pool, keys)
        self._cases: dict[UUID, Case] = {}
        self._opening: set[UUID] = set()

    async def wait(self, now: datetime) -> None:
        """Until everybody has finished what there is to do at this moment.

        Raises ``NotQuiescentError`` after a minute.
        """
        self._opening = set(self._cases)  # a new moment may open what the last one did not
        until = monotonic() + PATIENCE_S
        while await self._busy(now):
            if monotonic() > until:
                raise NotQuiescentError(f"{await self._why()}: see the logs of the home")
            await asyncio.sleep(LOOK_EVERY_S)

    async def next_due(self) -> datetime | None:
        """The earliest deadline of any stream (UTC)."""
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
        self._opening = {stream_id for stream_id in self._opening if _is_opening(self._cases[stream_id], now)}
        return bool(self._opening)

    async def _catch_up(self, stream_id: UUID, number: str) -> None:
        case = self._cases.setdefault(stream_id, Case(stream_id, number=number))
        for event in (await self._repository.load(stream_id, after=case.version)).events:
            event.mutate(case)

    async def _why(self) -> str:
        row: Any = await self.pool.fetchrow(_COUNTS)
        return ", ".join(f"{count} {what}" for what, count in row.items()) + f", {len(self._opening)} stages to open"


def _is_opening(case: Case, now: datetime) -> bool:
    """Whether the workflow is about to order a stage open."""
    ctx = Context(at=now, recorded_at=now, actor="system", message_id=case.id, directory=Directory(), token=lambda: "")
    return bool(stages_to_open(Progress(edition=case.edition or NEWEST, done=case.done, may_open=may_open(case, ctx))))


_BUSY = """
SELECT EXISTS (SELECT FROM inbox WHERE status = 'pending' AND stream_id IS NOT NULL)
    OR EXISTS (SELECT FROM outgoing_now)
    OR EXISTS (SELECT FROM streams WHERE open AND next_due <= awda_now())
    OR EXISTS (SELECT FROM streams s LEFT JOIN case_list c USING (stream_id)
               WHERE s.kind = 'case' AND s.version > 0 AND s.version IS DISTINCT FROM c.version)
"""

_CASES = "SELECT stream_id, number, version FROM streams WHERE kind = 'case' AND open AND version > 0"

_COUNTS = """
SELECT (SELECT count(*) FROM inbox WHERE status = 'pending' AND stream_id IS NOT NULL) AS "messages wait",
       (SELECT count(*) FROM outgoing_now) AS "deliveries are under way",
       (SELECT count(*) FROM streams WHERE open AND next_due <= awda_now()) AS "deadlines have passed"
"""
