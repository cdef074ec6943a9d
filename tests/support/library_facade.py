"""Adapts the recorder to the library's contract tests: synchronous, and with integer ids.

Versions are stored one higher than in the tests, because some tests start at zero. A stream is created by its first
write; in production its first message creates it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar
from uuid import UUID, uuid4

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    ListenNotifySubscription,
    Notification,
    StoredEvent,
)

from store.log.recorder import Recorder, StaleRevisionError
from store.log.rows import Changeset, EventRow, NewEvent
from store.postgres.database import open_pool

T = TypeVar("T")


class EventLoopThread:
    """An event loop in a thread, for synchronous callers."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class AggregateFacade(AggregateRecorder):
    """Adapts the recorder to the library's ``AggregateRecorder``."""

    def __init__(self, loop: EventLoopThread, dsn: str) -> None:
        self.loop = loop
        self.pool = loop.run(open_pool(dsn, max_size=12))
        self.recorder = Recorder(self.pool)

    def close(self) -> None:
        self.loop.run(self.pool.close())

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        if stored_events:
            self.loop.run(self._insert(stored_events))
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        found = self.recorder.select_events(UUID(str(originator_id)), gt=_up(gt), lte=_up(lte), desc=desc, limit=limit)
        return [_stored(row) for row in self.loop.run(found)]

    async def _insert(self, events: Sequence[StoredEvent]) -> list[int]:
        changeset = await self._plan(events)
        try:
            await self.recorder.write(changeset)
        except StaleRevisionError as stale:
            raise IntegrityError from stale
        wanted = [event.event_id for event in changeset.events]
        return [row[0] for row in await self.pool.fetch(_POSITIONS, wanted)]

    async def _plan(self, events: Sequence[StoredEvent]) -> Changeset:
        stream, first = UUID(str(events[0].originator_id)), events[0].originator_version + 1
        if [event.originator_version for event in events] != list(range(first - 1, first - 1 + len(events))):
            raise IntegrityError("The versions are not consecutive")
        await self.pool.execute(_OPEN, stream, first - 1)
        head = (await self.recorder.load(stream, after=2**40)).head
        assert head is not None
        new = [
            NewEvent(stream, event.originator_version + 1, event.topic, event.state, uuid4(), "{}") for event in events
        ]
        return Changeset(stream, head.revision, head.hash, first, new)


class ApplicationFacade(AggregateFacade, ApplicationRecorder):
    """Adapts recorder and feed to the library's ``ApplicationRecorder``. The position is the notification id."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        return self.loop.run(self._insert(stored_events)) if stored_events else []

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        lowest = 0 if start is None else start if inclusive_of_start else start + 1
        found = self.loop.run(self.pool.fetch(_FEED, lowest, stop, list(topics), limit))
        return [Notification(row[1], row[2] - 1, row[3], row[4], id=row[0]) for row in found]

    def max_notification_id(self) -> int | None:
        found: int | None = self.loop.run(self.pool.fetchval("SELECT max(position) FROM events"))
        return found

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> PollingSubscription:
        return PollingSubscription(self, gt, topics)


class PollingSubscription(ListenNotifySubscription[ApplicationFacade]):
    """Polls every 20 ms."""

    def __init__(self, recorder: ApplicationFacade, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder, gt, topics)
        self._polling = threading.Thread(target=self._poll, daemon=True)
        self._polling.start()

    def stop(self) -> None:
        super().stop()
        self._polling.join()

    def _poll(self) -> None:
        while not self._has_been_stopped:
            self._has_been_notified.set()
            threading.Event().wait(0.02)


def _up(version: int | None) -> int | None:
    return None if version is None else version + 1


def _stored(row: EventRow) -> StoredEvent:
    return StoredEvent(row.originator_id, row.originator_version - 1, row.topic, row.state)


_OPEN = """
INSERT INTO streams (stream_id, kind, number, version) VALUES ($1, 'test', $1::uuid::text, $2) ON CONFLICT DO NOTHING
"""

_POSITIONS = "SELECT position FROM events WHERE event_id = ANY ($1) ORDER BY position"

_FEED = """
SELECT position, stream_id, version, topic, state FROM events
WHERE position >= $1 AND ($2::bigint IS NULL OR position <= $2) AND (cardinality($3::text[]) = 0 OR topic = ANY ($3))
    AND xact < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY xact, position LIMIT $4
"""
