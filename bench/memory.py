"""What an idle case costs a worker in memory: one that the worker holds, and one that it has let go.

Each is measured in a process of its own, since memory that one leaves free would hide what the other keeps.
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
from bench.history import begun
from bench.measure import Measurement
from bench.place import BenchServers, ServerAddresses, at
from store.messages.inbox import Inbox
from store.postgres.notifier import Notifier
from workers.case_worker import CACHED, case_worker
from workflows.starter import wake_stream

IDLE: Final = 300

AT_ONCE: Final = 20

A_FEW: Final = 2 * AT_ONCE

WARM_UPS: Final = 6

COME_AND_GONE: Final = 60
"""Rounds after which a worker that keeps nothing has found its size: its allocators grow for about a thousand cases."""


async def measure(place: BenchServers) -> list[Measurement]:
    """Growth of a worker's resident memory over many idle cases."""
    held = await asyncio.to_thread(apart, place.where, CACHED, WARM_UPS)
    let_go = await asyncio.to_thread(apart, place.where, A_FEW, COME_AND_GONE)
    return [
        Measurement("memory of an idle cached case", held, "KiB", 160, at_least=False),
        Measurement("memory of an idle uncached case", let_go, "KiB", 8, at_least=False, detail="0 within noise"),
    ]


def apart(where: ServerAddresses, cached: int, warm_ups: int) -> float:
    """KiB a case, found by a new process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(measured, where, cached, warm_ups).result()


def measured(where: ServerAddresses, cached: int, warm_ups: int) -> float:
    return uvloop.run(grown(where, cached, warm_ups))


async def grown(where: ServerAddresses, cached: int, warm_ups: int) -> float:
    """KiB a case, after a warm-up of the same kind. Folded streams are let go: only the workflow is measured."""
    queue = f"bench-{uuid4().hex[:8]}"
    async with at(where) as place, Notifier(where.dsn) as notifier:
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
    case = await begun(engine)
    await wake_stream(engine.place.client, "case", case, task_queue=queue)
    async with asyncio.timeout(30):
        while not await engine.place.pool.fetchval("SELECT version > 0 FROM streams WHERE stream_id = $1", case):  # noqa: ASYNC110 (the database has no event)
            await asyncio.sleep(0.1)


def resident(engine: Engine) -> int:
    engine.recording._kept.clear()  # noqa: SLF001 (what is kept between recordings has a ceiling of its own)
    engine.recording.settled.clear()
    gc.collect()
    return psutil.Process().memory_info().rss
