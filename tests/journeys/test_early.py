"""What is said in one breath is taken in one breath: a message for a stage about to open is not refused for its haste."""

from __future__ import annotations

from tests.support.databases import Database
from tests.support.journey_steps import REGISTRATION, SCREENING
from tests.support.running_worker import a_running_worker
from workers.embedded.installation import Servers


async def test_a_message_for_a_stage_that_is_about_to_open_waits_for_it(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers, relay=False) as worker:
        begun = await worker.begin(**REGISTRATION)
        assert begun.stream_id is not None
        said = [await worker.say(begun.stream_id, name, **fields) for name, fields in SCREENING]

        await worker.record(begun.stream_id)
        waiting = (await worker.became(said[-1].message_id, 0))["status"]
        await worker.order_open(begun.stream_id, "SCREENING")

        assert waiting == "pending"
        assert [(await worker.became(each.message_id))["status"] for each in said] == ["applied"] * len(said)


async def test_a_message_for_a_stage_that_may_not_open_is_refused(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers, relay=False) as worker:
        begun = await worker.begin(**REGISTRATION)
        assert begun.stream_id is not None
        said = await worker.say(begun.stream_id, "EnrolReintegration", office="Lagos")

        await worker.record(begun.stream_id)

        assert (await worker.became(said.message_id))["rule"] == "STAGE.NOT_OPEN"
