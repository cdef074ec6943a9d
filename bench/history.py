"""What a message costs in workflow history, one by one and in a burst."""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID, uuid4

from bench.engine import SAID, Engine, WatchedRecording, incoming
from bench.measure import Measurement
from bench.place import BenchServers
from store.messages.inbox import Inbox, message_id_for
from store.postgres.notifier import Notifier
from workers.case_worker import case_worker
from workers.relay import Relay
from workflows.starter import wake_stream, workflow_id

BURST: Final = 50


async def measure(place: BenchServers) -> list[Measurement]:
    """Events in a history are counted, not estimated."""
    queue = f"bench-{uuid4().hex[:8]}"
    async with Notifier(place.where.dsn) as notifier:
        recording = WatchedRecording(place.pool, place.keys, notifier, place.connections)
        engine = Engine(place, recording, Inbox(place.pool, place.keys), notifier)
        async with case_worker(place.client, recording, task_queue=queue):
            single = await one_by_one(place, engine, queue)
            burst = await in_a_burst(place, engine, queue)
    return [
        Measurement("history events a message, one by one", single, "events", 7, at_least=False),
        Measurement("history events a message, in a burst of 50", burst, "events", 2, at_least=False),
    ]


async def length(place: BenchServers, case: UUID) -> int:
    history = await place.client.get_workflow_handle(workflow_id("case", case)).fetch_history()
    return len(history.events)


async def begun(engine: Engine) -> UUID:
    message_id = message_id_for("bench", uuid4().hex)
    receipt = await engine.inbox.start_case(incoming(None, message_id, *SAID[0]))
    if receipt.stream_id is None:
        raise RuntimeError("a case that was begun has a stream")
    return receipt.stream_id


async def one_by_one(place: BenchServers, engine: Engine, queue: str) -> float:
    case = await begun(engine)
    await wake_stream(place.client, "case", case, task_queue=queue)
    await asyncio.sleep(1)
    before = await length(place, case)
    for name, fields in SAID[1:]:
        message_id = message_id_for("bench", uuid4().hex)
        await engine.inbox.put(incoming(case, message_id, name, fields))
        await wake_stream(place.client, "case", case, task_queue=queue)
        await asyncio.wait_for(engine.recording.settled[message_id].wait(), 30)
        await asyncio.sleep(0.2)
    return (await length(place, case) - before) / len(SAID[1:])


async def in_a_burst(place: BenchServers, engine: Engine, queue: str) -> float:
    """Fifty messages at once, rung by the real relay, which coalesces."""
    case = await begun(engine)
    await wake_stream(place.client, "case", case, task_queue=queue)
    await asyncio.sleep(1)
    before = await length(place, case)
    ids = [message_id_for("bench", uuid4().hex) for _ in range(BURST)]
    stop = asyncio.Event()
    relay = Relay(place.client, place.pool, place.keys, place.where.dsn, task_queue=queue, deliveries=None)
    relaying = asyncio.create_task(relay.run(stop))
    for message_id in ids:
        await engine.inbox.put(incoming(case, message_id, "AddNote", {"note": "in a burst"}))
        engine.notifier.notify("awda_inbox", case)
    await asyncio.gather(*(asyncio.wait_for(engine.recording.settled[one].wait(), 60) for one in ids))
    stop.set()
    await relaying
    return (await length(place, case) - before) / BURST
