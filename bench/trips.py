"""Round trips of one recording, counted on the wire between the worker and PostgreSQL."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from bench.engine import SAID, Watched, incoming
from bench.measure import Measured
from bench.place import Place
from domain.progress import Order
from store.messages.inbox import Inbox, message_id_for
from store.postgres.database import open_pool
from tests.support.wire_counter import Wire

WARM_UPS: Final = 8


async def measure(place: Place) -> list[Measured]:
    """Once a connection has prepared its statements, as in a worker that has been up for a second."""
    async with Wire(place.where.dsn) as wire:
        pool = await open_pool(place.where.dsn, host=wire.folder, port=5432, min_size=1, max_size=1)
        recording, inbox = Watched(pool, place.keys), Inbox(place.pool, place.keys)
        begun = await inbox.start_case(incoming(None, message_id_for("bench", "trips"), *SAID[0]))
        order, before = Order(stream_id=begun.stream_id or UUID(int=0)), 0
        for number in range(WARM_UPS):
            await inbox.put(incoming(begun.stream_id, message_id_for("bench", f"t{number}"), "AddNote", {"note": "a"}))
            before = wire.trips
            await recording.catch_up(order)
        found = wire.trips - before
        await pool.close()
    return [Measured("round trips of a recording", found, "round trips", 2, at_least=False)]
