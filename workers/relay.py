"""The relay: rings the workflows of streams that have news, starts deliveries, and sweeps what was overslept.

It is the only process that rings. It keeps nothing: after a restart it looks, and rings again what still waits.
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

LOOK_EVERY_S: Final = 1.0

SWEEP_EVERY_S: Final = 60.0

OVERSLEPT: Final = timedelta(hours=1)

LONGEST_PAUSE_S: Final = 3600.0

AT_ONCE: Final = 16

PASSING: Final = (*UNANSWERED, RPCError, asyncpg.PostgresError)
"""Faults of servers that come back: wait and look again."""


@dataclass
class Backoff:
    """How long to leave each stream alone that was rung and has not answered: one second, two, four, up to an hour."""

    told: dict[UUID, tuple[int, float]] = field(default_factory=dict)

    def over(self, streams: Iterable[UUID]) -> list[UUID]:
        """Of the streams that still wait, those whose pause is over; each then rests for twice as long."""
        waiting = list(streams)
        self.told = {stream: self.told.get(stream, (0, 0.0)) for stream in waiting}
        found = [stream for stream in waiting if monotonic() >= self.told[stream][1]]
        for stream in found:
            self.rest(stream, self.told[stream][0])
        return found

    def rest(self, stream: UUID, times: int = 0) -> None:
        """It was just rung, for the so-many-th time."""
        self.told[stream] = (times + 1, monotonic() + min(LONGEST_PAUSE_S, LOOK_EVERY_S * 2.0**times))


@dataclass
class Relay:
    """Rings each stream at most once at a time, and less and less often while it does not answer."""

    client: Client
    pool: asyncpg.Pool[asyncpg.Record]
    keys: KeyStore
    dsn: str
    task_queue: str = CASES
    deliveries: str | None = DELIVERIES
    """The queue deliveries are started on; ``None`` leaves the outbox to another relay."""
    kinds: dict[UUID, str] = field(default_factory=dict)
    rung: Backoff = field(default_factory=Backoff)
    overslept: Backoff = field(default_factory=Backoff)
    wanted: dict[UUID, None] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    look: bool = True
    deliver: bool = True

    @property
    def quarantine(self) -> Quarantine:
        return Quarantine(self.pool, self.keys)

    async def run(self, stop: asyncio.Event) -> None:
        """Relay until told to stop. Survives its servers' absence."""
        inbox, outbox = Inbox(self.pool, self.keys), Outbox(self.pool)
        ears = [
            asyncio.create_task(listen(self.dsn, INBOX, self._heard)),
            asyncio.create_task(listen(self.dsn, OUTBOX, self._has_outgoing)),
            asyncio.create_task(self._look_again(stop)),
        ]
        swept = float("-inf")
        try:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.news.wait(), LOOK_EVERY_S)
                self.news.clear()
                swept = await self._turn(inbox, outbox, swept)
        finally:
            for ear in ears:
                ear.cancel()
            await asyncio.gather(*ears, return_exceptions=True)

    async def _turn(self, inbox: Inbox, outbox: Outbox, swept: float) -> float:
        """One round: what was heard, what waits, what leaves, and once a minute what was overslept."""
        try:
            if self.look:
                self.look = False
                await self._what_waits(inbox)
            await self._ring_wanted()
            if self.deliver:
                self.deliver = False
                await self._deliveries(outbox)
            if monotonic() - swept >= SWEEP_EVERY_S:
                await self._sweep(inbox)
                return monotonic()
        except PASSING as fault:
            log.warning("a server does not answer (%s); the relay waits and looks again", type(fault).__name__)
            self.look = self.deliver = True
            await asyncio.sleep(LOOK_EVERY_S)
        return swept

    def _heard(self, payload: str) -> None:
        if payload:
            stream = UUID(payload)
            self.wanted[stream] = None
            self.rung.rest(stream)
        else:
            self.look = True
        self.news.set()

    def _has_outgoing(self, _payload: str) -> None:
        self.deliver = True
        self.news.set()

    async def _look_again(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await asyncio.sleep(LOOK_EVERY_S)
            self.look = self.deliver = True
            self.news.set()

    async def _what_waits(self, inbox: Inbox) -> None:
        """Streams with messages nobody has looked at; each is rung again after twice the last pause."""
        self._want(await self.quarantine.take_up_early())
        self._want(self.rung.over(await inbox.pending_streams()))
        if await clock.stands_still(self.pool):
            self._want(await self._due(inbox, timedelta(0)))

    async def _sweep(self, inbox: Inbox) -> None:
        await self.quarantine.note_resolved()
        self._want(self.overslept.over(await self._due(inbox, OVERSLEPT)))
        await self._ring_wanted()

    def _want(self, streams: Iterable[UUID]) -> None:
        self.wanted |= dict.fromkeys(streams)

    async def _due(self, inbox: Inbox, grace: timedelta) -> list[UUID]:
        return await inbox.due_streams(await clock.now(self.pool), grace)

    async def _ring_wanted(self) -> None:
        """Ring; whoever could not be rung is wanted still, and nobody else for their sake."""
        if not self.wanted:
            return
        await self._learn_kinds(list(self.wanted))
        streams, self.wanted = list(self.wanted), {}
        await _few_at_once(self._ring(stream) for stream in streams if stream in self.kinds)

    async def _learn_kinds(self, streams: list[UUID]) -> None:
        unknown = [stream for stream in streams if stream not in self.kinds]
        if unknown:
            self.kinds |= {stream: head.kind for stream, head in (await heads(self.pool, unknown)).items()}

    async def _ring(self, stream: UUID) -> None:
        failpoint("relay.before_ring")
        await self._reach(stream, wake_stream(self.client, self.kinds[stream], stream, task_queue=self.task_queue))

    async def _reach(self, stream: UUID, ringing: Awaitable[object]) -> None:
        try:
            await ringing
        except PASSING as fault:
            log.warning("stream %s cannot be rung (%s); it is rung again", stream, type(fault).__name__)
            self.wanted[stream] = None

    async def _deliveries(self, outbox: Outbox) -> None:
        """Start what is to leave, and look again at what was held back while its case stood as it did."""
        queue = self.deliveries
        while queue and (claimed := await outbox.claim(100)):
            await _few_at_once(start_delivery(self.client, outbox_id, task_queue=queue) for outbox_id in claimed)
        while queue and (released := await outbox.released(100)):
            await _few_at_once(
                start_delivery(self.client, outbox_id, task_queue=queue, released=True) for outbox_id in released
            )


async def _few_at_once(work: Any) -> None:
    """Run coroutines, a few at a time; the first fault is raised after all have ended."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def through(one: Coroutine[Any, Any, None]) -> None:
        async with gate:
            await one

    done = await asyncio.gather(*(through(one) for one in work), return_exceptions=True)
    for fault in done:
        if isinstance(fault, BaseException):
            raise fault


async def serve(context: ProcessContext) -> None:
    """Ring, deliver and sweep until asked to stop."""
    client = await connect(context.temporal_address, context.settings.temporal_namespace)
    await Relay(client, context.pool, context.keys, context.dsn).run(context.stop)
