"""The verification: compares the log, hash chain, heads, keys, messages, read tables, workflows, files and ledgers.

It only reads. Findings are for people, or for the relay's sweep, to correct. A part that could not be checked makes
the result ``not_checked``, never ``clean``.
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
from store.reference.advisories import not_notified

log = logging.getLogger("awda.verify")

Progress: TypeAlias = "Callable[[int, int], object] | None"
"""Called with the number of streams checked so far, and the total."""

PATIENCE_S: Final = 5.0
"""How long work in progress may take to complete before it counts as stuck (seconds)."""

STUCK_AFTER_S: Final = 120
"""The age at which a pending message counts as stuck (seconds)."""

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
    """Checks every stream, or one case. ``workflows=False`` deliberately leaves out Temporal.

    Work in progress has ``patience_s`` seconds to complete before it counts as stuck.
    """
    check = Verification(pool, keys, Report(), patience_s)
    try:
        await check.streams(case, progress)
        await check.files(files)
        if workflows:
            await check.workflows(client)
        await check.pending_messages(case)
    except UNANSWERED as error:
        log.warning("the database did not answer (%s)", type(error).__name__)
        check.report.unchecked.append("the database does not answer; start it, then run `awda verify` again")
    return check.report


@dataclass
class Verification:
    """A verification in progress."""

    pool: Pool
    keys: KeyStore
    report: Report
    patience_s: float
    heads: list[StreamHead] = field(default_factory=list)
    named: list[NamedFile] = field(default_factory=list)

    async def streams(self, case: UUID | None, progress: Progress) -> None:
        """Checks the log, its messages and its read tables, stream by stream."""
        await self._wait_for_read_tables()
        total = 1 if case else await self.pool.fetchval("SELECT count(*) FROM streams")
        async for batch in snapshots(self.pool, case):
            for stream in batch:
                self._stream(stream)
                await asyncio.sleep(0)
            if progress:
                progress(len(self.heads), total)
        if case is None:
            await self._strays()
            await self._advisories()
            await self._ledgers()
        elif not self.heads:
            self.report.findings.append(Finding("stream", str(case), "the stream does not exist"))

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
        """Checks the files of cases. Without a content store they count as not checked."""
        if not self.named:
            return
        if store is None:
            self.report.unchecked.append("the files of cases were not checked: no content store is configured")
            return
        self.report.checked.update(files=len({each.file_hash for each in self.named}))
        self.report.findings += await check_files(store, self.named)

    async def workflows(self, client: Client | None) -> None:
        """Checks the workflows. The workflow of a case that was just registered may still be starting."""
        if client is None:
            self.report.unchecked.append("the workflows were not checked: Temporal is not connected")
            return
        try:
            self.report.findings += await self._workflow_findings(client)
        except (RPCError, OSError, RuntimeError) as error:
            log.warning("Temporal did not answer (%s)", type(error).__name__)
            self.report.unchecked.append("the workflows were not checked: Temporal does not answer")

    async def _workflow_findings(self, client: Client) -> list[Finding]:
        heads = [head for head in self.heads if head.open]
        self.report.checked.update(workflows=len(heads))
        suspects = list({head.stream_id: head for head in [*heads, *await failed(client, self.heads)]}.values())
        until = monotonic() + self.patience_s
        while found := await check_workflows(client, suspects):
            if monotonic() >= until:
                return found
            await asyncio.sleep(LOOK_EVERY_S)
            named = {finding.case for finding in found}
            suspects = await self._read_again(head for head in suspects if head.number in named)
        return []

    async def _read_again(self, heads: Iterable[StreamHead]) -> list[StreamHead]:
        """Reads heads again: a case that has closed since then needs no workflow."""
        found = await self.pool.fetch(_HEADS, [head.stream_id for head in heads])
        return [StreamHead(*row) for row in found]

    async def _advisories(self) -> None:
        """Checks that every case was notified of every return advisory; the travel gate applies it in any case."""
        for advisory in await not_notified(self.pool):
            detail = f"some cases may not have been notified of {advisory.version}; run `awda advisory change` again"
            self.report.findings.append(Finding("advisory", advisory.place, detail))

    async def _strays(self) -> None:
        """Checks that no event or message belongs to a stream without a head."""
        for row in await self.pool.fetch(_STRAYS):
            self.report.findings.append(Finding("stream", str(row[0]), f"{row[1]} exist without a stream head"))

    async def _ledgers(self) -> None:
        """Checks the messages acknowledged to partners, whichever case they were for."""
        ledgers = LedgerCheck(self.pool, self.keys)
        self.report.findings += [finding async for finding in ledgers.findings()]
        self.report.checked.update(ledgers.checked)

    async def _wait_for_read_tables(self) -> None:
        """Waits until the read tables have reached the end of the log; the projector may be briefly behind."""
        row = await self.pool.fetchrow(_FEED_END)
        end = Position(int(row[0]), row[1]) if row else Position()
        until = monotonic() + self.patience_s
        while behind := [name for name, at in (await positions(self.pool)).items() if at < end]:
            if monotonic() >= until:
                detail = f"behind the log: {', '.join(behind)}; check that the projector is running"
                self.report.findings.append(Finding("read-table-behind", "", detail))
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def pending_messages(self, case: UUID | None) -> None:
        """Checks for messages that are not processed. On a stopped programme clock ``patience_s`` decides, not age."""
        stopped = await clock.is_stopped(self.pool)
        until = monotonic() + self.patience_s
        while found := await self.pool.fetch(_UNDER_WAY, case):
            if monotonic() >= until or (not stopped and min(row["age_s"] for row in found) > STUCK_AFTER_S):
                break
            await asyncio.sleep(LOOK_EVERY_S)
        self.report.checked.update(under_way=len(found))
        self.report.findings += [_stuck(row) for row in found if stopped or row["age_s"] > STUCK_AFTER_S]


def _stuck(row: asyncpg.Record) -> Finding:
    problem = {"inbox": "has not been processed", "outbox": "has no delivery in progress"}[row["place"]]
    detail = f"{row['place']} message {row['id']} {problem}; check that the relay is running"
    return Finding(f"{row['place']}-stuck", row["number"] or "", detail)


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
