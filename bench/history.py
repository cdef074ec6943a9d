"""What a message costs in workflow history, one by one and in a burst; and what an idle case costs in memory."""

from __future__ import annotations

import asyncio
import gc
from typing import Final
from uuid import UUID, uuid4

import psutil

from bench.engine import SAID, Engine, Watched, incoming
from bench.measure import Measured
from bench.place import Place
from store.doorbell import Doorbell
from store.inbox import Inbox, message_id_for
from workers.case_worker import case_worker
from workers.relay import Relay
from workflows.ring import ring, workflow_id

BURST: Final = 50
IDLE: Final = 300
AT_ONCE: Final = 20
WARM_UPS: Final = 6


async def measure(place: Place) -> list[Measured]:
    """Counts are exact; memory is the growth of this process over many idle cases."""
    queue = f"bench-{uuid4().hex[:8]}"
    async with Doorbell(place.dsn) as doorbell:
        recording = Watched(place.pool, place.keys, doorbell, place.lines)
        engine = Engine(place, recording, Inbox(place.pool, place.keys), doorbell)
        async with case_worker(place.client, recording, task_queue=queue, cached=2000):
            single = await one_by_one(place, engine, queue)
            burst = await in_a_burst(place, engine, queue)
            cached = await memory(place, engine, queue, IDLE)
        uncached_queue = f"{queue}-uncached"
        async with case_worker(place.client, recording, task_queue=uncached_queue, cached=2 * AT_ONCE):
            uncached = await memory(place, engine, uncached_queue, IDLE)
    return [
        Measured("history events a message, one by one", single, "events", 7, at_least=False),
        Measured("history events a message, in a burst of 50", burst, "events", 2, at_least=False),
        Measured("memory of an idle cached case", cached, "KiB", 160, at_least=False),
        Measured(
            "memory of an idle uncached case", max(0.0, uncached), "KiB", 8, at_least=False, detail="0 within noise"
        ),
    ]


async def length(place: Place, case: UUID) -> int:
    history = await place.client.get_workflow_handle(workflow_id("case", case)).fetch_history()
    return len(history.events)


async def begun(engine: Engine) -> UUID:
    message_id = message_id_for("bench", uuid4().hex)
    receipt = await engine.inbox.start_case(incoming(None, message_id, *SAID[0]))
    if receipt.stream_id is None:
        raise RuntimeError("a case that was begun has a stream")
    return receipt.stream_id


async def one_by_one(place: Place, engine: Engine, queue: str) -> float:
    case = await begun(engine)
    await ring(place.client, "case", case, task_queue=queue)
    await asyncio.sleep(1)
    before = await length(place, case)
    for name, fields in SAID[1:]:
        message_id = message_id_for("bench", uuid4().hex)
        await engine.inbox.put(incoming(case, message_id, name, fields))
        await ring(place.client, "case", case, task_queue=queue)
        await asyncio.wait_for(engine.recording.settled[message_id].wait(), 30)
        await asyncio.sleep(0.2)
    return (await length(place, case) - before) / len(SAID[1:])


async def in_a_burst(place: Place, engine: Engine, queue: str) -> float:
    """Fifty messages at once, rung by the real relay, which coalesces."""
    case = await begun(engine)
    await ring(place.client, "case", case, task_queue=queue)
    await asyncio.sleep(1)
    before = await length(place, case)
    ids = [message_id_for("bench", uuid4().hex) for _ in range(BURST)]
    stop = asyncio.Event()
    relay = Relay(place.client, place.pool, place.keys, place.dsn, task_queue=queue, deliveries=None)
    relaying = asyncio.create_task(relay.run(stop))
    for message_id in ids:
        await engine.inbox.put(incoming(case, message_id, "AddNote", {"note": "in a burst"}))
        engine.doorbell.ring("awda_inbox", case)
    await asyncio.gather(*(asyncio.wait_for(engine.recording.settled[one].wait(), 60) for one in ids))
    stop.set()
    await relaying
    return (await length(place, case) - before) / BURST


async def memory(place: Place, engine: Engine, queue: str, cases: int) -> float:
    """KiB a case, after a warm-up of the same kind. Folded streams are let go: only the workflow is measured."""
    for _ in range(WARM_UPS):
        await asyncio.gather(*(settle(place, engine, queue) for _ in range(AT_ONCE)))
    before = resident(engine)
    for _ in range(cases // AT_ONCE):
        await asyncio.gather(*(settle(place, engine, queue) for _ in range(AT_ONCE)))
    return (resident(engine) - before) / cases / 1024


async def settle(place: Place, engine: Engine, queue: str) -> None:
    case = await begun(engine)
    await ring(place.client, "case", case, task_queue=queue)
    async with asyncio.timeout(30):
        while not await place.pool.fetchval("SELECT version > 0 FROM streams WHERE stream_id = $1", case):  # noqa: ASYNC110 (the database has no event)
            await asyncio.sleep(0.1)


def resident(engine: Engine) -> int:
    engine.recording._kept.clear()  # noqa: SLF001 (what is kept between recordings has a ceiling of its own)
    engine.recording.settled.clear()
    gc.collect()
    return psutil.Process().memory_info().rss
