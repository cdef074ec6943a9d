"""PostgreSQL or Temporal killed, Temporal's file deleted, the database stopped: nothing is lost, and verify is clean."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from audit.rehydrate import rehydrate
from audit.verification.verify import verify
from store.postgres.database import migrate
from store.projections.projector import Projector
from tests.durability.test_kills import assert_each_is_recorded_once, submit_everything
from tests.support.databases import Database
from tests.support.journey_steps import SCREENING, a_registered_case
from tests.support.running_worker import RunningWorker, a_running_worker
from workers.embedded.installation import Servers
from workers.embedded.installation import servers as real_servers
from workflows.starter import workflow_id

pytestmark = pytest.mark.integration  # starts servers of its own

CASES = 4

CONNECTION_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

STOPPED_S = float(os.environ.get("AWDA_AWAY_S", "20"))


@asynccontextmanager
async def servers_of_our_own(home: Path) -> AsyncIterator[tuple[Database, Servers]]:
    """Runs servers that only this test uses, so that it may kill them."""
    async with real_servers(home, headless=True, throw_away=True) as found:
        assert found.owner_dsn
        assert found.postgres
        await migrate(found.owner_dsn)
        await found.postgres.ensure_role_passwords()
        yield Database("awda", found.owner_dsn, found.app_dsn), found


async def kill_postgres(servers: Servers) -> None:
    assert servers.postgres
    await _kill(servers.postgres.server)
    await servers.postgres.start()


async def kill_temporal(servers: Servers) -> None:
    assert servers.temporal
    await _kill(servers.temporal.server)
    await servers.temporal.start()


async def delete_temporal(servers: Servers) -> None:
    """Kills Temporal, deletes its store, and starts it again."""
    assert servers.temporal
    await _kill(servers.temporal.server)
    for file in servers.home.temporal.iterdir():
        file.unlink()
    await servers.temporal.start()


async def _kill(server: object) -> None:
    pid = getattr(server, "pid", None)
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.5)


@pytest.mark.parametrize("disaster", [kill_postgres, kill_temporal, delete_temporal])
async def test_after_a_disaster_every_message_is_recorded_once_and_verify_is_clean(
    disaster: object, tmp_path: Path
) -> None:
    async with (
        servers_of_our_own(tmp_path / "home") as (database, servers),
        a_running_worker(database, servers) as worker,
    ):
        sending = [asyncio.create_task(patiently(worker)) for _ in range(CASES)]
        await asyncio.sleep(2)

        await disaster(servers)  # type: ignore[operator]  # one of the three functions above
        if disaster is delete_temporal:
            await rehydrate(worker.pool, worker.client, task_queue=worker.queue)

        for case, message_ids in await asyncio.gather(*sending):
            await assert_each_is_recorded_once(worker, case, message_ids)
        await assert_verified(worker)


async def patiently(worker: RunningWorker) -> tuple[UUID, list[UUID]]:
    """Submits all messages of a case, and starts over after a connection error, as real senders do."""
    while True:
        try:
            return await submit_everything(worker)
        except CONNECTION_ERRORS:
            await asyncio.sleep(0.5)


async def assert_verified(worker: RunningWorker) -> None:
    await worker.rests()
    await Projector(worker.pool).catch_up()
    report = await verify(worker.pool, worker.keys, worker.client)
    assert report.result == "clean", report.as_json()


@pytest.mark.slow
async def test_while_the_database_is_away_nothing_fails_and_histories_do_not_grow(tmp_path: Path) -> None:
    async with (
        servers_of_our_own(tmp_path / "home") as (database, servers),
        a_running_worker(database, servers) as worker,
    ):
        case = await a_registered_case(worker)
        name, fields = SCREENING[0]
        handle = worker.client.get_workflow_handle(workflow_id("case", case))
        assert servers.postgres
        receipt = await worker.say(case, name, **fields)
        await worker.became(receipt.message_id)
        before = len((await handle.fetch_history()).events)

        await servers.postgres.stop()
        await handle.signal("ring")
        await asyncio.sleep(STOPPED_S)
        during = len((await handle.fetch_history()).events)
        await servers.postgres.start()

        again = await worker.say(case, "AddNote", note="the database is back")
        assert (await worker.became(again.message_id, 60))["status"] == "applied"
        assert during - before <= 12, "one local attempt, and one activity that waits outside the history"
        assert (await handle.describe()).status is not None
        await assert_verified(worker)
