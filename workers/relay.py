"""The relay process: signals workflows whose streams have pending messages, starts deliveries, and sweeps deadlines.

It is the only process that signals workflows. It keeps no state of its own: after a restart it polls the inbox and
the outbox, and continues with what is still pending.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any, Final
from uuid import UUID

import asyncpg
from temporalio.client import Client
from temporalio.service import RPCError

from store.crypto.keys import KeyStore
from store.log.streams import heads
from store.messages.inbox import Inbox
from store.messages.outbox import Outbox
from store.messages.quarantine import Quarantine
from store.postgres import clock
from store.postgres.database import UNANSWERED
from store.postgres.failpoint import failpoint
from store.postgres.notifier import INBOX, OUTBOX, listen
from workers.context import ProcessContext
from workers.temporal_client import connect
from workflows.starter import CASES, DELIVERIES, start_delivery, wake_stream

log = logging.getLogger("awda.relay")

POLL_INTERVAL_S: Final = 1.0

SWEEP_INTERVAL_S: Final = 60.0

MISSED_AFTER: Final = timedelta(hours=1)
"""A deadline that passed this long ago without being recorded counts as missed by its workflow's timer."""

LONGEST_PAUSE_S: Final = 3600.0

MAX_CONCURRENT_CALLS: Final = 16

BATCH_SIZE: Final = 100

TRANSIENT_ERRORS: Final = (*UNANSWERED, RPCError, asyncpg.PostgresError)
"""Errors of a server that is expected to return: the relay waits and tries again."""


@dataclass
class Backoff:
    """Exponential backoff per stream: pauses of 1, 2, 4 … seconds, at most an hour, while a stream stays pending."""

    attempts: dict[UUID, tuple[int, float]] = field(default_factory=dict)
    """By stream: the number of signals sent, and the time (monotonic, seconds) before which no other is sent."""

    def due(self, pending: Iterable[UUID]) -> list[UUID]:
        """Returns the pending streams whose pause has ended, and doubles their next pause.

        Streams that are no longer pending are dropped, so that they start with a short pause the next time.
        """
        streams = list(pending)
        self.attempts = {stream: self.attempts.get(stream, (0, 0.0)) for stream in streams}
        found = [stream for stream in streams if monotonic() >= self.attempts[stream][1]]
        for stream in found:
            self.pause(stream, self.attempts[stream][0])
        return found

    def pause(self, stream: UUID, earlier: int = 0) -> None:
        """Notes that a signal is sent to the stream, after ``earlier`` signals that had no effect."""
        self.attempts[stream] = (earlier + 1, monotonic() + min(LONGEST_PAUSE_S, POLL_INTERVAL_S * 2.0**earlier))


@dataclass
class Relay:
    """Signals each stream at most once at a time, with backoff while its messages stay pending."""

    client: Client
    pool: asyncpg.Pool[asyncpg.Record]
    keys: KeyStore
    dsn: str
    task_queue: str = CASES
    deliveries: str | None = DELIVERIES
    """The task queue of deliveries; ``None`` leaves the outbox to another relay."""
    kinds: dict[UUID, str] = field(default_factory=dict)
    pending: Backoff = field(default_factory=Backoff)
    missed: Backoff = field(default_factory=Backoff)
    to_wake: dict[UUID, None] = field(default_factory=dict)
    """The streams to signal in this round, in the order of arrival."""
    work: asyncio.Event = field(default_factory=asyncio.Event)
    poll_inbox: bool = True
    poll_outbox: bool = True

    @property
    def quarantine(self) -> Quarantine:
        return Quarantine(self.pool, self.keys)

    async def run(self, stop: asyncio.Event) -> None:
        """Relays until ``stop`` is set. Outages of PostgreSQL and Temporal are waited out."""
        inbox, outbox = Inbox(self.pool, self.keys), Outbox(self.pool)
        background = [
            asyncio.create_task(listen(self.dsn, INBOX, self._on_inbox_notification)),
            asyncio.create_task(listen(self.dsn, OUTBOX, self._on_outbox_notification)),
            asyncio.create_task(self._poll(stop)),
        ]
        swept = float("-inf")
        try:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.work.wait(), POLL_INTERVAL_S)
                self.work.clear()
                swept = await self._run_once(inbox, outbox, swept)
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)

    async def _run_once(self, inbox: Inbox, outbox: Outbox, swept: float) -> float:
        """Runs one round: notifications, pending messages, deliveries and, once a minute, the sweep.

        Returns when the last sweep ran (monotonic, seconds).
        """
        try:
            if self.poll_inbox:
                self.poll_inbox = False
                await self._find_pending(inbox)
            await self._wake_all()
            if self.poll_outbox:
                self.poll_outbox = False
                await self._start_deliveries(outbox)
            if monotonic() - swept >= SWEEP_INTERVAL_S:
                await self._sweep(inbox)
                return monotonic()
        except TRANSIENT_ERRORS as error:
            log.warning("a server is unavailable (%s); the relay polls again", type(error).__name__)
            self.poll_inbox = self.poll_outbox = True
            await asyncio.sleep(POLL_INTERVAL_S)
        return swept

    def _on_inbox_notification(self, payload: str) -> None:
        if payload:
            stream = UUID(payload)
            self.to_wake[stream] = None
            self.pending.pause(stream)
        else:
            self.poll_inbox = True
        self.work.set()

    def _on_outbox_notification(self, _payload: str) -> None:
        self.poll_outbox = True
        self.work.set()

    async def _poll(self, stop: asyncio.Event) -> None:
        """Requests a poll at an interval, because notifications are best effort."""
        while not stop.is_set():
            await asyncio.sleep(POLL_INTERVAL_S)
            self.poll_inbox = self.poll_outbox = True
            self.work.set()

    async def _find_pending(self, inbox: Inbox) -> None:
        """Selects the streams with pending messages. While the programme clock stands still, also passed deadlines."""
        self._add(await self.quarantine.release_early())
        self._add(self.pending.due(await inbox.pending_streams()))
        if await clock.is_stopped(self.pool):
            self._add(await self._overdue(inbox, timedelta(0)))

    async def _sweep(self, inbox: Inbox) -> None:
        """Selects the streams with missed deadlines: the system does not depend on a single timer."""
        await self.quarantine.note_resolved()
        self._add(self.missed.due(await self._overdue(inbox, MISSED_AFTER)))
        await self._wake_all()

    def _add(self, streams: Iterable[UUID]) -> None:
        self.to_wake |= dict.fromkeys(streams)

    async def _overdue(self, inbox: Inbox, grace: timedelta) -> list[UUID]:
        return await inbox.due_streams(await clock.now(self.pool), grace)

    async def _wake_all(self) -> None:
        """Signals the selected streams. One that cannot be reached stays selected and does not delay the others."""
        if not self.to_wake:
            return
        await self._load_kinds(list(self.to_wake))
        streams, self.to_wake = list(self.to_wake), {}
        await _run_bounded(self._wake(stream) for stream in streams if stream in self.kinds)

    async def _load_kinds(self, streams: list[UUID]) -> None:
        unknown = [stream for stream in streams if stream not in self.kinds]
        if unknown:
            self.kinds |= {stream: head.kind for stream, head in (await heads(self.pool, unknown)).items()}

    async def _wake(self, stream: UUID) -> None:
        failpoint("relay.before_ring")
        await self._attempt(stream, wake_stream(self.client, self.kinds[stream], stream, task_queue=self.task_queue))

    async def _attempt(self, stream: UUID, call: Awaitable[object]) -> None:
        try:
            await call
        except TRANSIENT_ERRORS as error:
            log.warning("stream %s could not be signalled (%s); retrying", stream, type(error).__name__)
            self.to_wake[stream] = None

    async def _start_deliveries(self, outbox: Outbox) -> None:
        """Starts deliveries of new messages, and of messages that were held back until their case changed."""
        queue = self.deliveries
        while queue and (claimed := await outbox.claim(BATCH_SIZE)):
            await _run_bounded(start_delivery(self.client, outbox_id, task_queue=queue) for outbox_id in claimed)
        while queue and (released := await outbox.released(BATCH_SIZE)):
            await _run_bounded(
                start_delivery(self.client, outbox_id, task_queue=queue, released=True) for outbox_id in released
            )


async def _run_bounded(work: Any) -> None:
    """Runs coroutines with bounded concurrency. Raises the first error after all have ended."""
    semaphore = asyncio.Semaphore(MAX_CONCURRENT_CALLS)

    async def limited(one: Coroutine[Any, Any, None]) -> None:
        async with semaphore:
            await one

    results = await asyncio.gather(*(limited(one) for one in work), return_exceptions=True)
    for error in results:
        if isinstance(error, BaseException):
            raise error


async def serve(context: ProcessContext) -> None:
    """Runs the relay until the process is asked to stop."""
    client = await connect(context.temporal_address, context.settings.temporal_namespace)
    await Relay(client, context.pool, context.keys, context.dsn).run(context.stop)
