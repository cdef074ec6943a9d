"""The projector process: updates the read tables when it is notified of new events, and polls every second."""

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

POLL_INTERVAL_S: Final = 1.0


async def run(pool: Pool, dsn: str, stop: asyncio.Event) -> None:
    """Keeps the read tables up to date until ``stop`` is set. Outages of the database are waited out."""
    new_events, projector = asyncio.Event(), Projector(pool)
    listener = asyncio.create_task(listen(dsn, EVENTS, lambda _: new_events.set()))
    try:
        while not stop.is_set():
            new_events.clear()
            await _catch_up(projector)
            await _wait(new_events, stop)
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)


async def _catch_up(projector: Projector) -> None:
    try:
        await projector.catch_up()
    except (*UNANSWERED, asyncpg.PostgresError) as error:
        log.warning("the read tables cannot be updated: the database is unavailable (%s)", type(error).__name__)


async def _wait(new_events: asyncio.Event, stop: asyncio.Event) -> None:
    """Waits for new events, for the stop, or for the poll interval, whichever comes first."""
    waits = [asyncio.create_task(event.wait()) for event in (new_events, stop)]
    try:
        await asyncio.wait(waits, timeout=POLL_INTERVAL_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*waits, return_exceptions=True)


async def serve(context: ProcessContext) -> None:
    """Runs the projector until the process is asked to stop."""
    await run(context.pool, context.dsn, context.stop)
