"""Everything held against everything: log, chain, heads, keys, messages, read tables, workflows.

Looks only; what it finds is for people, or for the sweep, to put right. What cannot be looked at is never clean.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
from temporalio.client import Client
from temporalio.service import RPCError

from audit.replay import Pool
from audit.verification.files import NamedFile, check_files, named_by
from audit.verification.ledgers import LedgerCheck
from audit.verification.log import check_log
from audit.verification.messages import check_messages
from audit.verification.projections import check_projections
from audit.verification.report import Finding, Report
from audit.verification.snapshot import Snapshot, snapshots
from audit.verification.workflows import check_workflows, failed
from store.content_store import ContentStore
from store.crypto.keys import KeyStore
from store.log.feed import Position
from store.log.rows import StreamHead
from store.postgres import clock
from store.postgres.database import UNANSWERED
from store.projections.projector import positions
from store.reference.advisories import untold

log = logging.getLogger("awda.verify")

Progress: TypeAlias = "Callable[[int, int], object] | None"
"""Told how many streams have been looked at, and how many there are."""

PATIENCE_S: Final = 5.0

STUCK_AFTER_S: Final = 120

LOOK_EVERY_S: Final = 0.2


async def verify(
    pool: Pool,
    keys: KeyStore,
    client: Client | None,
    *,
    case: UUID | None = None,
    progress: Progress = None,
    workflows: bool = True,
    patience_s: float = PATIENCE_S,
    files: ContentStore | None = None,
) -> Report:
    """Look at every stream, or at one. ``workflows=False`` leaves Temporal out on purpose.

    What is under way gets ``patience_s`` seconds to arrive before it counts as stuck.
    """
    check = Verification(pool, keys, Report(), patience_s)
    try:
        await check.streams(case, progress)
        await check.files(files)
        if workflows:
            await check.runs(client)
        await check.what_is_under_way(case)
    except UNANSWERED as away:
        log.warning("the database did not answer (%s)", type(away).__name__)
        check.report.unchecked.append("the database did not answer; start it and verify again")
    return check.report


@dataclass
class Verification:
    """One verification under way."""

    pool: Pool
    keys: KeyStore
    report: Report
    patience_s: float
    heads: list[StreamHead] = field(default_factory=list)
    named: list[NamedFile] = field(default_factory=list)

    async def streams(self, case: UUID | None, progress: Progress) -> None:
        """The log, its messages and its read tables, stream by stream."""
        await self._read_tables_arrive()
        total = 1 if case else await self.pool.fetchval("SELECT count(*) FROM streams")
        async for batch in snapshots(self.pool, case):
            for stream in batch:
                self._stream(stream)
                await asyncio.sleep(0)
            if progress:
                progress(len(self.heads), total)
        if case is None:
            await self._strays()
            await self._untold()
            await self._accounts()
        elif not self.heads:
            self.report.findings.append(Finding("stream", str(case), "there is no such stream"))

    def _stream(self, stream: Snapshot) -> None:
        self.heads.append(stream.head)
        self.report.checked.update(
            streams=1,
            events=len(stream.events),
            inbox=len(stream.inbox),
            outbox=len(stream.outbox),
            keys=len(stream.keys),
            rows_shown=sum(map(len, stream.shown.values())),
            dead_deliveries=sum(row["status"] == "dead" for row in stream.outbox),
            by_hand=sum(row["status"] == "by_hand" for row in stream.outbox),
        )
        checks = (check_log(self.keys, stream), check_messages(self.keys, stream), check_projections(stream))
        self.report.findings += [finding for check in checks for finding in check]
        self.named += named_by(self.keys, stream)

    async def files(self, store: ContentStore | None) -> None:
        """The files that cases name. Without a content store to look in, they were not looked at."""
        if not self.named:
            return
        if store is None:
            self.report.unchecked.append("the files of cases were not looked at: no content store is set up")
            return
        self.report.checked.update(files=len({each.file_hash for each in self.named}))
        self.report.findings += await check_files(store, self.named)

    async def runs(self, client: Client | None) -> None:
        """The workflows; a case that has just been opened may still be rung."""
        if client is None:
            self.report.unchecked.append("the workflows were not looked at: Temporal is not connected")
            return
        try:
            self.report.findings += await self._runs(client)
        except (RPCError, OSError, RuntimeError) as away:
            log.warning("Temporal did not answer (%s)", type(away).__name__)
            self.report.unchecked.append("the workflows were not looked at: Temporal did not answer")

    async def _runs(self, client: Client) -> list[Finding]:
        heads = [head for head in self.heads if head.open]
        self.report.checked.update(workflows=len(heads))
        doubtful = list({head.stream_id: head for head in [*heads, *await failed(client, self.heads)]}.values())
        until = monotonic() + self.patience_s
        while found := await check_workflows(client, doubtful):
            if monotonic() >= until:
                return found
            await asyncio.sleep(LOOK_EVERY_S)
            named = {finding.case for finding in found}
            doubtful = await self._still_there(head for head in doubtful if head.number in named)
        return []

    async def _still_there(self, heads: Iterable[StreamHead]) -> list[StreamHead]:
        """The heads anew: a case may have ended meanwhile, and need no run any more."""
        found = await self.pool.fetch(_HEADS, [head.stream_id for head in heads])
        return [StreamHead(*row) for row in found]

    async def _untold(self) -> None:
        """Advisories of which cases may not know yet; the gate does, and the people concerned should."""
        for advisory in await untold(self.pool):
            detail = f"cases may not have been told of {advisory.version}: repeat `awda advisory change`"
            self.report.findings.append(Finding("advisory", advisory.place, detail))

    async def _strays(self) -> None:
        """Events and messages of streams that have no head."""
        for row in await self.pool.fetch(_STRAYS):
            self.report.findings.append(Finding("stream", str(row[0]), f"{row[1]} without a head row"))

    async def _accounts(self) -> None:
        """What was acknowledged to partners, whichever case it was for."""
        accounts = LedgerCheck(self.pool, self.keys)
        self.report.findings += [finding async for finding in accounts.findings()]
        self.report.checked.update(accounts.checked)

    async def _read_tables_arrive(self) -> None:
        """The projector may be a moment behind, but not for long."""
        row = await self.pool.fetchrow(_FEED_END)
        end = Position(int(row[0]), row[1]) if row else Position()
        until = monotonic() + self.patience_s
        while behind := [name for name, at in (await positions(self.pool)).items() if at < end]:
            if monotonic() >= until:
                detail = f"{', '.join(behind)} lag behind the log: see whether the projector runs"
                self.report.findings.append(Finding("read-table-behind", "", detail))
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def what_is_under_way(self, case: UUID | None) -> None:
        """Messages that nobody takes up. Where the clock stands still, our patience counts instead of their age."""
        still = await clock.stands_still(self.pool)
        until = monotonic() + self.patience_s
        while found := await self.pool.fetch(_UNDER_WAY, case):
            if monotonic() >= until or (not still and min(row["age_s"] for row in found) > STUCK_AFTER_S):
                break
            await asyncio.sleep(LOOK_EVERY_S)
        self.report.checked.update(under_way=len(found))
        self.report.findings += [_stuck(row) for row in found if still or row["age_s"] > STUCK_AFTER_S]


def _stuck(row: asyncpg.Record) -> Finding:
    what = {"inbox": "nobody has taken it up", "outbox": "nobody has begun to deliver it"}[row["place"]]
    return Finding(f"{row['place']}-stuck", row["number"] or "", f"{row['place']} {row['id']}: {what}; see the relay")


_HEADS = """
SELECT stream_id, kind, number, revision, version, hash, opened_at, next_due, open FROM streams
WHERE stream_id = ANY ($1)
"""

_STRAYS = """
SELECT stream_id, 'events' FROM events e WHERE NOT EXISTS (SELECT FROM streams s WHERE s.stream_id = e.stream_id)
UNION
SELECT stream_id, 'messages' FROM inbox i
WHERE stream_id IS NOT NULL AND NOT EXISTS (SELECT FROM streams s WHERE s.stream_id = i.stream_id)
"""

_FEED_END = """
SELECT xact::text AS at_xact, position FROM events WHERE xact < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY events.xact DESC, events.position DESC LIMIT 1
"""

_UNDER_WAY = """
SELECT 'inbox' AS place, message_id AS id, s.number, extract(epoch FROM awda_now() - received_at) AS age_s
FROM inbox i JOIN streams s USING (stream_id)
WHERE i.status = 'pending' AND ($1::uuid IS NULL OR stream_id = $1)
UNION ALL
SELECT 'outbox', outbox_id, number, extract(epoch FROM awda_now() - created_at)
FROM outgoing_now WHERE ($1::uuid IS NULL OR stream_id = $1)
  AND (claimed_at IS NULL OR claimed_at < clock_timestamp() - interval '30 minutes')
"""
