"""Workflow histories replay: with and without the cache, under any hash seed, and as recorded by earlier versions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from tests.support.databases import Database
from tests.support.journey_steps import a_cleared_case, a_screened_case
from tests.support.running_worker import RunningWorker, a_running_worker
from workers.case_worker import sandbox
from workers.embedded.installation import Servers
from workflows.case import CaseWorkflow
from workflows.movement import MovementWorkflow
from workflows.starter import workflow_id

RECORDED = sorted((Path(__file__).parent / "histories").glob("*.json"))


def replayer() -> Replayer:
    return Replayer(
        workflows=[CaseWorkflow, MovementWorkflow],
        data_converter=pydantic_data_converter,
        workflow_runner=sandbox(),
    )


async def history_of(worker: RunningWorker, case: UUID) -> WorkflowHistory:
    return await worker.client.get_workflow_handle(workflow_id("case", case)).fetch_history()


async def test_a_case_that_is_never_cached_is_carried_as_far(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers, cached=0) as worker:
        case = await a_screened_case(worker)

        names = await worker.until(case, "ReferralSent")

        assert names.count("StageOpened") == 4
        await replayer().replay_workflow(await history_of(worker, case))


async def test_the_history_of_a_cleared_case_replays(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers) as worker:
        case = await a_cleared_case(worker)
        await worker.rests()

        history = await history_of(worker, case)

        assert len(history.events) > 20
        await replayer().replay_workflow(history)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
async def test_a_history_recorded_before_still_replays(recorded: Path) -> None:
    replayed = await replayer().replay_workflow(WorkflowHistory.from_json(recorded.stem, recorded.read_text()))
    assert replayed.replay_failure is None


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
@pytest.mark.integration
def test_recorded_histories_replay_under_any_hash_seed(seed: str) -> None:
    program = "import asyncio, tests.journeys.test_replay as t\n"
    program += "for p in t.RECORDED: asyncio.run(t.test_a_history_recorded_before_still_replays(p))"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."}, check=False,
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip

    assert RECORDED, "there are recorded histories to replay"
    assert done.returncode == 0, done.stderr


async def test_a_history_holds_no_word_about_the_person(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers) as worker:
        case = await a_cleared_case(worker)
        await worker.rests()

        history = (await history_of(worker, case)).to_json()

        for word in ("Aminata", "Okafor", "+218910000001", "LP-100", "NIGERIA", "MEDICAL_ASSESSMENT_OUTCOME"):
            assert word not in history
