"""Starts the workflow of every open stream again, for example after the loss of the Temporal store.

Workflows that are already running are only woken, which is harmless.
"""

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
"""Called with the number of streams woken so far, and the total."""

AT_ONCE: Final = 16
"""How many streams are woken concurrently."""


async def rehydrate(pool: Pool, client: Client, *, task_queue: str = CASES, progress: Progress = None) -> int:
    """Wakes every open stream and returns their number. Raises ``RPCError`` if Temporal does not answer."""
    heads, limit, done = await open_streams(pool), asyncio.Semaphore(AT_ONCE), 0

    async def wake(kind: str, stream_id: UUID) -> None:
        nonlocal done
        async with limit:
            await wake_stream(client, kind, stream_id, task_queue=task_queue)
        done += 1
        if progress:
            progress(done, len(heads))

    await asyncio.gather(*(wake(head.kind, head.stream_id) for head in heads))
    return len(heads)
