"""Wakes every open stream from the log, as after the loss of the Temporal store. Harmless to those that run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias
from uuid import UUID

from temporalio.client import Client

from audit.replay import Pool
from store.log.streams import open_streams
from workflows.starter import CASES, wake_stream

Progress: TypeAlias = "Callable[[int, int], object] | None"
"""Told how many streams have been rung, and how many there are."""

AT_ONCE: Final = 16


async def rehydrate(pool: Pool, client: Client, *, task_queue: str = CASES, progress: Progress = None) -> int:
    """Ring every stream for which something is awaited. Returns how many. Raises ``RPCError`` if nobody answers."""
    heads, gate, done = await open_streams(pool), asyncio.Semaphore(AT_ONCE), 0

    async def one(kind: str, stream_id: UUID) -> None:
        nonlocal done
        async with gate:
            await wake_stream(client, kind, stream_id, task_queue=task_queue)
        done += 1
        if progress:
            progress(done, len(heads))

    await asyncio.gather(*(one(head.kind, head.stream_id) for head in heads))
    return len(heads)
