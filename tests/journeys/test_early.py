"""Messages submitted in quick succession: a message for a stage that is about to open waits and is not refused."""

from __future__ import annotations

from tests.support.databases import Database
from tests.support.journey_steps import REGISTRATION, SCREENING
from tests.support.running_worker import a_running_worker
from workers.embedded.installation import Servers


async def test_a_message_for_a_stage_that_is_about_to_open_waits_for_it(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers, relay=False) as worker:
        begun = await worker.begin(**REGISTRATION)
        assert begun.stream_id is not None
        receipts = [await worker.say(begun.stream_id, name, **fields) for name, fields in SCREENING]

        await worker.record(begun.stream_id)
        waiting = (await worker.became(receipts[-1].message_id, 0))["status"]
        await worker.order_open(begun.stream_id, "SCREENING")

        assert waiting == "pending"
        assert [(await worker.became(each.message_id))["status"] for each in receipts] == ["applied"] * len(receipts)


async def test_a_message_for_a_stage_that_may_not_open_is_refused(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers, relay=False) as worker:
        begun = await worker.begin(**REGISTRATION)
        assert begun.stream_id is not None
        receipt = await worker.say(begun.stream_id, "EnrolReintegration", office="Lagos")

        await worker.record(begun.stream_id)

        assert (await worker.became(receipt.message_id))["rule"] == "STAGE.NOT_OPEN"
