"""Malformed input: signals with arguments, unknown signals, unreadable rows, unknown messages. The worker continues."""

from __future__ import annotations

from temporalio.client import WorkflowExecutionStatus

from domain.progress import RecordRequest
from tests.support.databases import Database
from tests.support.journey_steps import a_registered_case
from tests.support.running_worker import a_running_worker
from workers.embedded.installation import Servers
from workflows.starter import workflow_id


async def test_a_poisoned_ring_changes_nothing(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers) as worker:
        case = await a_registered_case(worker)
        await worker.rests()
        before = await worker.names(case)
        handle = worker.client.get_workflow_handle(workflow_id("case", case))

        await handle.signal("ring", args=["DROP TABLE events", {"no": ["such", "thing"]}])
        await handle.signal("ring", args=[None])
        await handle.signal("board_everybody", "now")

        noted = await worker.told(case, "AddNote", note="still here")
        assert noted["status"] == "applied"
        assert await worker.names(case) == [*before, "NoteAdded"]
        assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING


async def test_a_row_with_an_unknown_topic_is_quarantined_and_the_worker_lives(
    database: Database, servers: Servers
) -> None:
    async with a_running_worker(database, servers) as worker:
        damaged, intact = await a_registered_case(worker), await a_registered_case(worker)
        await worker.rests()
        await worker.owner.execute(PLANT, damaged)
        worker.recording._streams.clear()

        progress = await worker.recording.catch_up(RecordRequest(stream_id=damaged))
        noted = await worker.told(intact, "AddNote", note="work goes on")

        assert progress.waiting_on == "LOG.UNREADABLE"
        assert not progress.over
        assert noted["status"] == "applied"
        assert (
            await worker.pool.fetchval("SELECT topic FROM quarantined_rows WHERE stream_id = $1", damaged)
            == "os:getcwd"
        )


async def test_a_message_of_no_known_name_or_shape_is_refused_with_its_rule(
    database: Database, servers: Servers
) -> None:
    async with a_running_worker(database, servers) as worker:
        case = await a_registered_case(worker)

        unknown = await worker.told(case, "BoardEverybody")
        misspelt = await worker.told(case, "AddNote", note="x", urgent=True)
        impossible = await worker.told(case, "AllocateFunding", project="P", until="2027-02-30T00:00:00Z")

        assert unknown["rule"] == "MESSAGE.UNKNOWN"
        assert (misspelt["rule"], misspelt["field"]) == ("MESSAGE.INVALID", "urgent")
        assert (impossible["rule"], impossible["field"]) == ("MESSAGE.INVALID", "until")


PLANT = """
WITH head AS (UPDATE streams SET version = version + 1, hash = sha256('planted') WHERE stream_id = $1 RETURNING *)
INSERT INTO events (stream_id, version, topic, state, event_id, metadata, hash)
SELECT stream_id, version, 'os:getcwd', '{}', gen_random_uuid(), '{}', hash FROM head
"""
