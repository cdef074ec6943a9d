"""The recorder: reads everything that a decision needs in one round trip, and writes its result in another.

Optimistic concurrency: a recording moves the head of its stream by compare-and-set even when it appends no event.
A changeset that was decided on an older revision raises ``StaleRevisionError``, and none of it is stored.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from store.crypto.keys import KeyRow
from store.log.hash_chain import link
from store.log.rows import Changeset, Committed, EventRow, StreamHead, StreamSnapshot, WaitingMessage
from store.log.write_statement import statement_of
from store.postgres.connections import Queries
from store.postgres.database import UNANSWERED

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

STALE: Final = "AW001"


class StaleRevisionError(Exception):
    """Another recording was committed first: load the stream again and decide again."""


class DuplicateIdError(Exception):
    """An id of this changeset is already used by another row."""


class Recorder:
    """Loads streams and writes changesets, in one round trip each."""

    def __init__(self, pool: Queries) -> None:
        self._pool = pool

    async def load(self, stream_id: UUID, *, after: int = 0, limit: int = 100) -> StreamSnapshot:
        """Returns head, events after a version, up to ``limit`` pending messages, keys, and the time (UTC)."""
        found = await self._pool.fetch(_LOAD, stream_id, after, limit + 1)
        kinds: list[list[asyncpg.Record]] = [[], [], [], []]
        for row in found:
            kinds[row[0]].append(row)
        (top,), events, waiting, keys = kinds
        return StreamSnapshot(
            now=top["t1"],
            head=_head(top) if top["id"] else None,
            rows=[_row(stream_id, row) for row in events],
            waiting=[_waiting(row) for row in waiting[:limit]],
            keys=[_key(row) for row in keys],
            more=len(waiting) > limit,
        )

    async def write(self, changeset: Changeset) -> Committed:
        """Writes a whole changeset, or none of it.

        Raises ``StaleRevisionError`` if it was decided on an older revision, and ``DuplicateIdError``. If the response
        of the database is lost, looks up whether the changeset was committed; an error of ``UNANSWERED`` means that
        nothing of it was found: load the stream again and decide again.
        """
        hashes = chained(changeset)
        sql, arguments = statement_of(changeset, hashes)
        try:
            recorded_at = await self._pool.fetchval(sql, *arguments)
        except asyncpg.UniqueViolationError as clash:
            return await self._already_committed(changeset, hashes, clash)
        except UNANSWERED as lost:
            if isinstance(lost, asyncpg.QueryCanceledError):
                raise
            return await self._look_up(changeset, hashes, lost)
        except asyncpg.PostgresError as refused:
            raise _translated(refused, changeset) from None
        if recorded_at is None:
            raise _stale(changeset)
        return _committed(changeset, hashes, recorded_at)

    async def select_events(
        self,
        stream_id: UUID,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[EventRow]:
        """Returns events of a stream between two versions, oldest first, or newest first if ``desc``."""
        found = await self._pool.fetch(_SELECT_DOWN if desc else _SELECT_UP, stream_id, gt, lte, limit)
        return [EventRow(*row) for row in found]

    async def quarantine(self, row: EventRow, detail: str) -> None:
        """Registers a row of the log that cannot be read. The row itself is not changed."""
        await self._pool.execute(_QUARANTINE, row.originator_id, row.originator_version, row.topic, detail)

    async def _already_committed(
        self, changeset: Changeset, hashes: list[bytes], clash: asyncpg.UniqueViolationError
    ) -> Committed:
        if written := await self._find(changeset, hashes):
            return written
        used = f"an id of this changeset is already used ({clash.constraint_name})"
        msg = f"Stream {changeset.stream_id}: {used}; derive another id"
        raise DuplicateIdError(msg) from None

    async def _look_up(self, changeset: Changeset, hashes: list[bytes], lost: BaseException) -> Committed:
        for pause_s in (0.0, 0.1, 0.5):
            await asyncio.sleep(pause_s)
            try:
                written = await self._find(changeset, hashes)
            except UNANSWERED:
                continue
            if written:
                return written
            break
        raise lost

    async def _find(self, changeset: Changeset, hashes: list[bytes]) -> Committed | None:
        """Returns the recording if committed, identified by the hash of its last event or by its message results."""
        if changeset.events:
            recorded_at = await self._pool.fetchval(_FIND_EVENT, changeset.events[-1].event_id, hashes[-1])
        else:
            recorded_at = await self._pool.fetchval(_FIND_SETTLED, *_settlements(changeset), changeset.stream_id)
        return _committed(changeset, hashes, recorded_at, repeated=True) if recorded_at else None


def chained(changeset: Changeset) -> list[bytes]:
    """Returns the hashes of the events of a changeset, each computed from the one before."""
    hashes, previous = [], changeset.prev_hash
    for version, new in enumerate(changeset.events, changeset.first_version):
        previous = link(previous, changeset.stream_id, version, new)
        hashes.append(previous)
    return hashes


def _committed(
    changeset: Changeset, hashes: list[bytes], recorded_at: datetime, *, repeated: bool = False
) -> Committed:
    version = changeset.first_version + len(hashes) - 1
    return Committed(changeset.revision + 1, version, (hashes or [changeset.prev_hash])[-1], recorded_at, repeated)


def _translated(refused: asyncpg.PostgresError, changeset: Changeset) -> Exception:
    if refused.sqlstate == STALE or isinstance(refused, (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)):
        return _stale(changeset)
    return refused


def _stale(changeset: Changeset) -> StaleRevisionError:
    return StaleRevisionError(
        f"Stream {changeset.stream_id} is no longer at revision {changeset.revision}: load it again and decide again"
    )


def _settlements(changeset: Changeset) -> tuple[list[Any], ...]:
    names = ("message_id", "status", "result", "version")
    return tuple([getattr(settled, name) for settled in changeset.settled] for name in names)


def _head(row: asyncpg.Record) -> StreamHead:
    _, stream_id, kind, number, *_, revision, version, digest, _, _, opened_at, next_due, is_open = row
    return StreamHead(stream_id, kind, number, revision, version, digest, opened_at, next_due, is_open)


def _row(stream_id: UUID, row: asyncpg.Record) -> EventRow:
    return EventRow(stream_id, row[7], row[2], row[9], row[1], row[3], row[10], row[11])


def _waiting(row: asyncpg.Record) -> WaitingMessage:
    _, message_id, kind, name, actor, source, status, arrival, _, body, _, received_at, claimed_at, *_ = row
    return WaitingMessage(message_id, kind, name, body, actor, source, claimed_at, received_at, arrival, status)


def _key(row: asyncpg.Record) -> KeyRow:
    return KeyRow(row["id"], row["b1"])


_LOAD = """
SELECT 0 AS kind, s.stream_id AS id, s.kind AS c1, s.number AS c2, NULL AS c3, NULL AS c4, NULL AS c5,
       s.revision AS n1, s.version AS n2, s.hash AS b1, NULL::bytea AS b2,
       awda_now() AS t1, s.opened_at AS t2, s.next_due AS t3, s.open AS is_open
FROM (SELECT) AS always LEFT JOIN streams s ON s.stream_id = $1
UNION ALL (
    SELECT 1, event_id, topic, metadata, NULL, NULL, NULL, version, NULL, state, hash, recorded_at, NULL, NULL, NULL
    FROM events WHERE stream_id = $1 AND version > $2 ORDER BY version)
UNION ALL (
    SELECT 2, message_id, kind, name, actor, source, status, arrival, NULL, body, NULL,
           received_at, claimed_at, NULL, NULL
    FROM inbox WHERE stream_id = $1 AND status = 'pending'
    ORDER BY received_at, arrival LIMIT $3)
UNION ALL (
    SELECT 3, key_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, wrapped, NULL, NULL, NULL, NULL, NULL
    FROM case_keys WHERE stream_id = $1)
"""

_SELECT = """
SELECT stream_id, version, topic, state, event_id, metadata, hash, recorded_at FROM events
WHERE stream_id = $1 AND ($2::bigint IS NULL OR version > $2) AND ($3::bigint IS NULL OR version <= $3)
"""

_SELECT_UP = _SELECT + "ORDER BY version LIMIT $4"

_SELECT_DOWN = _SELECT + "ORDER BY version DESC LIMIT $4"

_QUARANTINE = """
INSERT INTO quarantined_rows (stream_id, version, topic, detail) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""

_FIND_EVENT = "SELECT recorded_at FROM events WHERE event_id = $1 AND hash = $2"

_FIND_SETTLED = """
SELECT max(i.settled_at) FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])
    AS s (message_id, status, result, version)
LEFT JOIN inbox i ON i.message_id = s.message_id AND i.stream_id = $5 AND i.status = s.status
    AND i.result IS NOT DISTINCT FROM s.result AND i.settled_version IS NOT DISTINCT FROM s.version
HAVING count(i.settled_at) = count(*) AND count(*) > 0
"""
