"""Processes killed at any point of a recording, with ten cases in progress: every message is recorded exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from store.postgres.failpoint import FAILPOINTS
from tests.support.databases import Database
from tests.support.journey_steps import REGISTRATION, SCREENING
from tests.support.processes import worker_processes
from tests.support.running_worker import RunningWorker, an_intake
from workers.embedded.installation import Servers

CASES = 10

PROCESS_OF = {"record": "case-worker", "relay": "relay"}


@pytest.mark.parametrize("place", sorted(FAILPOINTS))
async def test_killed_at_a_failpoint_every_message_is_recorded_once(
    place: str, database: Database, servers: Servers, tmp_path: Path
) -> None:
    async with an_intake(database, servers) as intake, worker_processes(database, servers, tmp_path) as processes:
        for name in ("case-worker", "relay"):
            armed = {"AWDA_FAILPOINT": f"{place}:15"} if PROCESS_OF[place.partition(".")[0]] == name else {}
            await processes.start(name, **armed)

        submitted = await asyncio.gather(*(submit_everything(intake) for _ in range(CASES)))

        assert processes.deaths >= 1
        for case, message_ids in submitted:
            await assert_each_is_recorded_once(intake, case, message_ids)


async def submit_everything(intake: RunningWorker) -> tuple[UUID, list[UUID]]:
    """Submits all messages from registration to the end of screening; returns the case and the message ids."""
    begun = await intake.begin(**REGISTRATION)
    assert begun.stream_id is not None
    submitted = [begun.message_id]
    assert (await intake.became(begun.message_id, 90))["status"] == "applied"
    for name, fields in SCREENING:
        message_id = uuid4()
        await intake.say(begun.stream_id, name, message_id=message_id, **fields)
        submitted.append(message_id)
    for message_id in submitted:
        became = await intake.became(message_id, 90)
        assert became["status"] == "applied", became
    return begun.stream_id, submitted


async def assert_each_is_recorded_once(intake: RunningWorker, case: UUID, message_ids: list[UUID]) -> None:
    names = Counter(await intake.names(case))
    assert names["CaseRegistered"] == names["VoluntaryReturnDeclared"] == names["EligibilityDetermined"] == 1
    assert names["ConsentGiven"] == 6
    recorded = await intake.pool.fetch(
        "SELECT DISTINCT metadata::json ->> 'message_id' AS id FROM events WHERE stream_id = $1", case
    )
    assert {str(message_id) for message_id in message_ids} <= {row["id"] for row in recorded}
