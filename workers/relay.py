"""The relay: rings the workflows of streams that have news, starts deliveries, and sweeps what was overslept.

It is the only process that rings. It keeps nothing: after a restart it looks, and rings again what still waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any, Final
from uuid import UUID

import asyncpg
from temporalio.client import Client
from temporalio.service import RPCError

from store import clock
from store.doorbell import INBOX, OUTBOX, listen
from store.failpoint import failpoint
from store.inbox import Inbox
from store.keys import KeyStore
from store.outbox import Outbox
from store.quarantine import Quarantine
from store.recorder import UNANSWERED
from store.streams import heads
from workers.client import connect
from workers.parts import Parts
from workflows.ring import CASES, DELIVERIES, ring, start_delivery

log = logging.getLogger("awda.relay")

LOOK_EVERY_S: Final = 1.0
SWEEP_EVERY_S: Final = 60.0
OVERSLEPT: Final = timedelta(hours=1)
LONGEST_PAUSE_S: Final = 3600.0
AT_ONCE: Final = 16
PASSING: Final = (*UNANSWERED, RPCError, asyncpg.PostgresError)
"""Faults of servers that come back: wait and look again."""


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
    rung: dict[UUID, tuple[int, float]] = field(default_factory=dict)
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
            self.wanted[stream], self.rung[stream] = None, (1, monotonic() + LOOK_EVERY_S)
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
        self.wanted |= dict.fromkeys(await self.quarantine.take_up_early())
        pending = await inbox.pending_streams()
        waiting = set(pending)
        self.rung = {stream: told for stream, told in self.rung.items() if stream in waiting}
        for stream in pending:
            times, again_at = self.rung.get(stream, (0, 0.0))
            if monotonic() >= again_at:
                self.rung[stream] = (times + 1, monotonic() + min(LONGEST_PAUSE_S, 2.0**times))
                self.wanted[stream] = None
        if await clock.stands_still(self.pool):
            await self._want_due(inbox, timedelta(0))

    async def _sweep(self, inbox: Inbox) -> None:
        await self.quarantine.note_resolved()
        await self._want_due(inbox, OVERSLEPT)
        await self._ring_wanted()

    async def _want_due(self, inbox: Inbox, grace: timedelta) -> None:
        due = await inbox.due_streams(await clock.now(self.pool), grace)
        self.wanted |= dict.fromkeys(due)

    async def _ring_wanted(self) -> None:
        streams, self.wanted = list(self.wanted), {}
        if not streams:
            return
        try:
            await self._learn_kinds(streams)
            await _few_at_once(self._ring(stream) for stream in streams if stream in self.kinds)
        except PASSING:
            self.wanted |= dict.fromkeys(streams)
            raise

    async def _learn_kinds(self, streams: list[UUID]) -> None:
        unknown = [stream for stream in streams if stream not in self.kinds]
        if unknown:
            self.kinds |= {stream: head.kind for stream, head in (await heads(self.pool, unknown)).items()}

    async def _ring(self, stream: UUID) -> None:
        failpoint("relay.before_ring")
        await ring(self.client, self.kinds[stream], stream, task_queue=self.task_queue)

    async def _deliveries(self, outbox: Outbox) -> None:
        queue = self.deliveries
        while queue and (claimed := await outbox.claim(100)):
            await _few_at_once(start_delivery(self.client, outbox_id, task_queue=queue) for outbox_id in claimed)


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


async def serve(parts: Parts) -> None:
    """Ring, deliver and sweep until asked to stop."""
    client = await connect(parts.temporal_address, parts.settings.temporal_namespace)
    await Relay(client, parts.pool, parts.keys, parts.dsn).run(parts.stop)
