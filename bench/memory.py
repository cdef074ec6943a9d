"""The memory that an idle case uses in a worker: while its workflow is cached, and after it was evicted.

Each is measured in a separate process, because memory freed by one measurement would hide the growth of the other.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Final
from uuid import uuid4

import psutil
import uvloop

from bench.engine import Engine, WatchedRecording
from bench.history import new_case
from bench.measure import Measurement
from bench.place import BenchServers, ServerAddresses, connected_to
from store.messages.inbox import Inbox
from store.postgres.notifier import Notifier
from workers.case_worker import CACHED, case_worker
from workflows.starter import wake_stream

IDLE: Final = 300

AT_ONCE: Final = 20

SMALL_CACHE: Final = 2 * AT_ONCE

WARM_UPS: Final = 6

EVICTION_WARM_UPS: Final = 60
"""Warm-up rounds for a worker without a cache: its allocators grow for about a thousand cases."""


async def measure(place: BenchServers) -> list[Measurement]:
    """Returns the growth of a worker's resident memory for each idle case."""
    cached = await asyncio.to_thread(in_new_process, place.where, CACHED, WARM_UPS)
    evicted = await asyncio.to_thread(in_new_process, place.where, SMALL_CACHE, EVICTION_WARM_UPS)
    return [
        Measurement("memory: per idle cached case", cached, "KiB", 160, at_least=False),
        Measurement("memory: per idle evicted case", evicted, "KiB", 8, at_least=False, detail="0 within noise"),
    ]


def in_new_process(where: ServerAddresses, cached: int, warm_ups: int) -> float:
    """Returns KiB per case, measured in a new process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(measured, where, cached, warm_ups).result()


def measured(where: ServerAddresses, cached: int, warm_ups: int) -> float:
    return uvloop.run(growth(where, cached, warm_ups))


async def growth(where: ServerAddresses, cached: int, warm_ups: int) -> float:
    """Returns KiB per case after a warm-up. Cached aggregates are cleared, so that only the workflow is measured."""
    queue = f"bench-{uuid4().hex[:8]}"
    async with connected_to(where) as place, Notifier(where.dsn) as notifier:
        recording = WatchedRecording(place.pool, place.keys, notifier, place.connections)
        engine = Engine(place, recording, Inbox(place.pool, place.keys), notifier)
        async with case_worker(place.client, recording, task_queue=queue, cached=cached):
            await rounds(engine, queue, warm_ups)
            before = resident(engine)
            await rounds(engine, queue, IDLE // AT_ONCE)
            return (resident(engine) - before) / IDLE / 1024


async def rounds(engine: Engine, queue: str, times: int) -> None:
    for _ in range(times):
        await asyncio.gather(*(settle(engine, queue) for _ in range(AT_ONCE)))


async def settle(engine: Engine, queue: str) -> None:
    case = await new_case(engine)
    await wake_stream(engine.place.client, "case", case, task_queue=queue)
    async with asyncio.timeout(30):
        while not await engine.place.pool.fetchval("SELECT version > 0 FROM streams WHERE stream_id = $1", case):  # noqa: ASYNC110 (the database has no event)
            await asyncio.sleep(0.1)


def resident(engine: Engine) -> int:
    engine.recording._streams.clear()  # noqa: SLF001 (this cache has its own limit)
    engine.recording.settled.clear()
    gc.collect()
    return psutil.Process().memory_info().rss
