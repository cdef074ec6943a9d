"""The workflow history events that one message adds, when messages are sent singly and in a burst."""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID, uuid4

from bench.engine import MESSAGES, Engine, WatchedRecording, incoming
from bench.measure import Measurement
from bench.place import BenchServers
from store.messages.inbox import Inbox, message_id_for
from store.postgres.notifier import Notifier
from workers.case_worker import case_worker
from workers.relay import Relay
from workflows.starter import wake_stream, workflow_id

BURST: Final = 50


async def measure(place: BenchServers) -> list[Measurement]:
    """Returns the events per message, counted in the fetched histories."""
    queue = f"bench-{uuid4().hex[:8]}"
    async with Notifier(place.where.dsn) as notifier:
        recording = WatchedRecording(place.pool, place.keys, notifier, place.connections)
        engine = Engine(place, recording, Inbox(place.pool, place.keys), notifier)
        async with case_worker(place.client, recording, task_queue=queue):
            single = await sent_singly(place, engine, queue)
            burst = await in_a_burst(place, engine, queue)
    return [
        Measurement("workflow history: events per message, sent singly", single, "events", 7, at_least=False),
        Measurement("workflow history: events per message, in a burst of 50", burst, "events", 2, at_least=False),
    ]


async def length(place: BenchServers, case: UUID) -> int:
    history = await place.client.get_workflow_handle(workflow_id("case", case)).fetch_history()
    return len(history.events)


async def new_case(engine: Engine) -> UUID:
    message_id = message_id_for("bench", uuid4().hex)
    receipt = await engine.inbox.start_case(incoming(None, message_id, *MESSAGES[0]))
    if receipt.stream_id is None:
        raise RuntimeError("the receipt of a new case has no stream id")
    return receipt.stream_id


async def sent_singly(place: BenchServers, engine: Engine, queue: str) -> float:
    case = await new_case(engine)
    await wake_stream(place.client, "case", case, task_queue=queue)
    await asyncio.sleep(1)
    before = await length(place, case)
    for name, fields in MESSAGES[1:]:
        message_id = message_id_for("bench", uuid4().hex)
        await engine.inbox.put(incoming(case, message_id, name, fields))
        await wake_stream(place.client, "case", case, task_queue=queue)
        await asyncio.wait_for(engine.recording.settled[message_id].wait(), 30)
        await asyncio.sleep(0.2)
    return (await length(place, case) - before) / len(MESSAGES[1:])


async def in_a_burst(place: BenchServers, engine: Engine, queue: str) -> float:
    """Sends fifty messages at once through the production relay, which combines their signals."""
    case = await new_case(engine)
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
