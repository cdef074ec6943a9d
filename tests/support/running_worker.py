"""The real worker and relay on real servers, with short methods to send messages and to read the log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from temporalio.client import Client

from activities.recording import RecordingActivities
from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.kernel.directory import Directory
from domain.kernel.event import Event
from domain.kernel.vocabulary import Stage
from domain.progress import Progress, RecordRequest
from domain.streams import State
from store.crypto.keys import KeyStore, MasterKey
from store.log.repository import Repository
from store.messages.inbox import Inbox, IncomingMessage, Receipt, message_id_for
from store.postgres import clock
from store.postgres.connections import open_connections
from store.postgres.database import open_pool
from store.postgres.notifier import INBOX, Notifier
from store.reference.advisories import advised
from tests.support.builders import PARTNERS
from workers.case_worker import case_worker
from workers.relay import Relay
from workers.temporal_client import connect

MASTER_KEY = b"a master key for tests, 32 bytes"

MASTER = MasterKey(MASTER_KEY)


class TestRecording(RecordingActivities):
    """The real recording, with the builders' partners instead of the partners table, and with fresh advisories."""

    __test__ = False

    async def partners(self, *, fresh: bool = False) -> Directory:
        return replace(PARTNERS, advisories=await advised(self.pool))


@dataclass
class RunningWorker:
    """Sends messages to streams, waits until they are idle, and reads their log."""

    pool: asyncpg.Pool[asyncpg.Record]
    owner: asyncpg.Pool[asyncpg.Record]
    keys: KeyStore
    inbox: Inbox
    notifier: Notifier
    client: Client
    recording: RecordingActivities
    dsn: str
    queue: str = field(default_factory=lambda: f"q-{uuid4().hex[:8]}")

    async def begin(
        self, name: str = "RegisterCase", *, kind: str = "case", called: str | None = None, **fields: Any
    ) -> Receipt:
        """Starts a stream with its first message. ``called`` is the number of a movement."""
        receipt = await self.inbox.start_stream(kind, called, _incoming(None, name, fields))
        self.notifier.notify(INBOX, receipt.stream_id)
        return receipt

    async def say(
        self, stream: UUID, name: str, *, by: str = "staff:fatima", message_id: UUID | None = None, **fields: Any
    ) -> Receipt:
        receipt = await self.inbox.put(_incoming(stream, name, fields, by=by, message_id=message_id))
        self.notifier.notify(INBOX, stream)
        return receipt

    async def told(self, stream: UUID, name: str, **fields: Any) -> dict[str, Any]:
        """Sends a message and returns its result."""
        receipt = await self.say(stream, name, **fields)
        return await self.became(receipt.message_id)

    async def became(self, message_id: UUID, seconds: float = 20) -> dict[str, Any]:
        found = await self.inbox.wait_for(message_id, seconds)
        assert found is not None
        return {"status": found.status, **(found.result or {})}

    async def record(self, stream: UUID) -> Progress:
        """Records the stream directly, without its workflow."""
        return await self.recording.catch_up(RecordRequest(stream_id=stream))

    async def order_open(self, stream: UUID, *stages: str) -> Progress:
        """Records the stream and opens stages, as the workflow does."""
        return await self.recording.catch_up(
            RecordRequest(stream_id=stream, open=tuple(Stage(stage) for stage in stages))
        )

    async def log(self, stream: UUID) -> list[Event]:
        loaded = await Repository(self.pool, self.keys).load(stream)
        assert not loaded.unreadable
        return loaded.events

    async def names(self, stream: UUID) -> list[str]:
        return [event.name for event in await self.log(stream)]

    async def state(self, stream: UUID) -> State:
        return await Repository(self.pool, self.keys).get(stream)

    async def until(self, stream: UUID, name: str, seconds: float = 20, times: int = 1) -> list[str]:
        """Waits until the log has ``times`` events with this name. Returns the names of all events."""
        async with asyncio.timeout(seconds):
            while (names := await self.names(stream)).count(name) < times:
                await asyncio.sleep(0.05)
        return names

    async def stands_at(self, moment: str | datetime) -> None:
        """Stops the programme clock at a time; from then on only the test moves it."""
        await clock.stop(self.owner, _moment(moment))

    async def rests(self, seconds: float = 30) -> None:
        """Waits until no message is pending and all passed deadlines are recorded."""
        async with asyncio.timeout(seconds):
            while await self.pool.fetchval(RESTLESS):
                await asyncio.sleep(0.05)

    async def at(self, moment: str | datetime) -> None:
        """Moves the clock to a time, and waits at each deadline on the way until it is recorded."""
        until = _moment(moment)
        await self.rests()
        while (due := await self.pool.fetchval(NEXT_DUE)) and due <= until:
            await clock.move(self.pool, max(due, await clock.now(self.pool)))
            await self.rests()
        await clock.move(self.pool, until)

    async def after(self, **span: float) -> None:
        await self.at(await clock.now(self.pool) + timedelta(**span))

    async def asked(self, case: UUID, kind: str, seconds: float = 20) -> Referral:
        """Returns the newest referral of a kind; waits until a stage has created it."""
        async with asyncio.timeout(seconds):
            while True:
                state = await self.state(case)
                assert isinstance(state, Case)
                if found := [each for each in state.referrals.values() if each.asked_kind == kind]:
                    return found[-1]
                await asyncio.sleep(0.05)

    async def receive_signal(
        self,
        case: UUID,
        kind: str,
        signal: str,
        outcome: str | None = None,
        *,
        signal_id: UUID | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Sends a signal of the partner about the newest referral of a kind, and returns its result."""
        await self.rests()
        referral = await self.asked(case, kind)
        fields = {
            "signal_id": str(signal_id or uuid4()),
            "referral_token": referral.token,
            "partner_id": referral.partner_id,
            "signal_type": signal,
            "occurred_at": (await clock.now(self.pool)).isoformat(),
            **({"outcome_code": outcome} if outcome else {}),
            **more,
        }
        by = f"partner:{referral.partner_id}"
        message_id = message_id_for(by, fields["signal_id"])
        await self.say(case, "ReceivePartnerSignal", by=by, message_id=message_id, **fields)
        return await self.became(message_id)


RESTLESS = """
SELECT EXISTS (SELECT FROM inbox WHERE status = 'pending' AND stream_id IS NOT NULL)
    OR EXISTS (SELECT FROM streams WHERE open AND next_due <= awda_now())
"""

NEXT_DUE = "SELECT min(next_due) FROM streams WHERE open"


def _moment(moment: str | datetime) -> datetime:
    return datetime.fromisoformat(moment) if isinstance(moment, str) else moment


def _incoming(
    stream: UUID | None, name: str, fields: dict[str, Any], *, by: str = "staff:fatima", message_id: UUID | None = None
) -> IncomingMessage:
    body = json.dumps({"message": name, "fields": fields, "reason": None}, sort_keys=True, default=str).encode()
    kind = "signal" if by.startswith("partner:") else "staff"
    return IncomingMessage(message_id or uuid4(), stream, kind, f"{kind}.message", body, by, by)


@asynccontextmanager
async def an_intake(database: Any, servers: Any) -> AsyncIterator[RunningWorker]:
    """Opens an intake without a worker of its own: other processes do the work."""
    pool, owner = await open_pool(database.app_dsn), await open_pool(database.owner_dsn)
    keys = KeyStore(pool, MASTER)
    client = await connect(servers.temporal_address, servers.temporal_namespace)
    try:
        async with Notifier(database.app_dsn) as notifier, open_connections(database.app_dsn) as connections:
            recording = TestRecording(pool, keys, notifier, connections)
            yield RunningWorker(pool, owner, keys, Inbox(pool, keys), notifier, client, recording, database.app_dsn)
    finally:
        await pool.close()
        await owner.close()


@asynccontextmanager
async def a_running_worker(
    database: Any, servers: Any, *, relay: bool = True, cached: int = 100
) -> AsyncIterator[RunningWorker]:
    """Runs the worker and the relay until the end of the test."""
    async with an_intake(database, servers) as worker:
        stop, running = asyncio.Event(), []
        relay_process = Relay(
            worker.client, worker.pool, worker.keys, worker.dsn, task_queue=worker.queue, deliveries=None
        )
        async with case_worker(worker.client, worker.recording, task_queue=worker.queue, cached=cached):
            if relay:
                running.append(asyncio.create_task(relay_process.run(stop)))
            try:
                yield worker
            finally:
                stop.set()
                relay_process.work.set()  # the relay does not wait for its next poll
                await asyncio.gather(*running)
