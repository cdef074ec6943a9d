"""Every open case has a running workflow: verification finds a missing one, and rehydration starts it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from audit.rehydrate import rehydrate
from audit.verification.verify import verify
from tests.support.databases import Database
from tests.support.journey_steps import a_screened_case
from tests.support.running_worker import RunningWorker, a_running_worker
from workers.embedded.installation import Servers
from workers.projector import run
from workflows.starter import workflow_id


@asynccontextmanager
async def an_open_case(database: Database, servers: Servers) -> AsyncIterator[tuple[RunningWorker, UUID]]:
    async with a_running_worker(database, servers) as worker:
        await worker.owner.execute("UPDATE outbox SET status = 'delivered'")
        stop = asyncio.Event()
        projecting = asyncio.create_task(run(worker.pool, worker.dsn, stop))
        case = await a_screened_case(worker)
        await worker.until(case, "ReferralSent")
        await worker.owner.execute("UPDATE outbox SET status = 'delivered'")
        yield worker, case
        stop.set()
        await projecting


async def test_an_open_case_that_runs_is_clean_and_one_without_a_run_is_healed(
    database: Database, servers: Servers
) -> None:
    async with an_open_case(database, servers) as (worker, case):
        assert str(await verify(worker.pool, worker.keys, worker.client)) == "clean"

        await worker.client.get_workflow_handle(workflow_id("case", case)).terminate()
        cut_off = await verify(worker.pool, worker.keys, worker.client, patience_s=0.5)
        woken = await rehydrate(worker.pool, worker.client, task_queue=worker.queue)
        healed = await verify(worker.pool, worker.keys, worker.client)

        assert [each.kind for each in cut_off.findings] == ["failed-run"]
        assert woken == 1
        assert str(healed) == "clean"


async def test_a_case_that_was_never_rung_has_no_run(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers, relay=False) as worker:
        begun = await worker.begin()
        await worker.record(begun.stream_id or UUID(int=0))
        await worker.owner.execute("UPDATE streams SET open = true")

        report = await verify(worker.pool, worker.keys, worker.client, patience_s=0.5)

        assert [each.kind for each in report.findings] == ["no-run"]
        assert workflow_id("case", begun.stream_id or UUID(int=0)) in report.findings[0].detail


async def test_verification_without_temporal_is_not_clean(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers, relay=False) as worker:
        await worker.begin()
        nowhere = await worker.client.connect("127.0.0.1:1", lazy=True)

        report = await verify(worker.pool, worker.keys, nowhere, patience_s=0.0)

        assert report.result == "not_checked"
