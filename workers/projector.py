"""The projector's process: woken by the doorbell, and looking by itself every second."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

import asyncpg

from store.postgres.database import UNANSWERED
from store.postgres.notifier import EVENTS, listen
from store.projections.projector import Pool, Projector
from workers.context import ProcessContext

log = logging.getLogger("awda.projector")

LOOK_EVERY_S: Final = 1.0


async def run(pool: Pool, dsn: str, stop: asyncio.Event) -> None:
    """Keep the read tables up to date until told to stop. Survives the database's absence."""
    news, projector = asyncio.Event(), Projector(pool)
    ear = asyncio.create_task(listen(dsn, EVENTS, lambda _: news.set()))
    try:
        while not stop.is_set():
            news.clear()
            await _carry(projector)
            await _wait(news, stop)
    finally:
        ear.cancel()
        await asyncio.gather(ear, return_exceptions=True)


async def _carry(projector: Projector) -> None:
    try:
        await projector.catch_up()
    except (*UNANSWERED, asyncpg.PostgresError) as fault:
        log.warning("the read tables wait for the database (%s)", type(fault).__name__)


async def _wait(news: asyncio.Event, stop: asyncio.Event) -> None:
    """Until there is news, the end, or a second has gone."""
    waits = [asyncio.create_task(event.wait()) for event in (news, stop)]
    try:
        await asyncio.wait(waits, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*waits, return_exceptions=True)


async def serve(context: ProcessContext) -> None:
    """Keep the read tables until asked to stop."""
    await run(context.pool, context.dsn, context.stop)
