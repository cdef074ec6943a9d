"""The database round trips of one recording, counted on the connection between worker and PostgreSQL."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from bench.engine import MESSAGES, WatchedRecording, incoming
from bench.measure import Measurement
from bench.place import BenchServers
from domain.progress import RecordRequest
from store.messages.inbox import Inbox, message_id_for
from store.postgres.database import open_pool
from tests.support.wire_counter import WireCounter

WARM_UPS: Final = 8


async def measure(place: BenchServers) -> list[Measurement]:
    """Returns the round trips of a recording on a connection that has prepared its statements already."""
    async with WireCounter(place.where.dsn) as wire:
        pool = await open_pool(place.where.dsn, host=wire.folder, port=5432, min_size=1, max_size=1)
        recording, inbox = WatchedRecording(pool, place.keys), Inbox(place.pool, place.keys)
        begun = await inbox.start_case(incoming(None, message_id_for("bench", "trips"), *MESSAGES[0]))
        order, before = RecordRequest(stream_id=begun.stream_id or UUID(int=0)), 0
        for number in range(WARM_UPS):
            await inbox.put(incoming(begun.stream_id, message_id_for("bench", f"t{number}"), "AddNote", {"note": "a"}))
            before = wire.trips
            await recording.catch_up(order)
        found = wire.trips - before
        await pool.close()
    return [Measurement("recording: database round trips", found, "round trips", 2, at_least=False)]
