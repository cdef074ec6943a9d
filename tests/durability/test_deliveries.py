"""Deliveries over three days and across a killed worker: ten attempts, one id, a dead letter recorded in the case."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import TimeSkipper
from temporalio.worker import Replayer, Worker

from activities.delivery import HELD, OVER, Attempt, DeliveryActivities
from activities.webhook_client import WebhookClient
from domain.case.aggregate import Case
from store.crypto.webhook_signatures import new_secret
from store.messages.outbox import Delivery, Outbox
from store.partners import keys as partner_keys
from store.partners import registry as partners
from store.partners import seed as standins
from tests.support.databases import Database
from tests.support.journey_steps import REGISTRATION, SCREENING, a_screened_case
from tests.support.processes import worker_processes
from tests.support.receiver_process import ReceiverProcess, a_receiver_process
from tests.support.running_worker import RunningWorker, a_running_worker, an_intake
from workers.case_worker import delivery_worker, sandbox
from workers.embedded.installation import Servers
from workers.relay import Relay
from workflows.delivery import SCHEDULE, DeliveryWorkflow
from workflows.starter import start_delivery

CLINIC, EMBASSY = "clinic-misrata", "embassy-nga"

TRIES = 10


@pytest.fixture
async def stranger(tmp_path: Path) -> AsyncIterator[ReceiverProcess]:
    async with a_receiver_process(tmp_path) as found:
        yield found


async def a_clinic(worker: RunningWorker, url: str, partner_id: str = CLINIC) -> None:
    await partners.add(worker.pool, partners.RegisteredPartner(partner_id, "A partner", frozenset(), receiver_url=url))
    outbound = partner_keys.Direction.OUTBOUND
    await partner_keys.add_key(worker.pool, worker.keys.master, partner_id, new_secret(), direction=outbound)


async def its_message(worker: RunningWorker, case: UUID, partner_id: str = CLINIC) -> Delivery:
    """Waits for the referral to a partner in the outbox, and returns it."""
    outbox = Outbox(worker.pool)
    async with asyncio.timeout(30):
        while not (found := [row for row in await outbox.of_partner(partner_id) if row.stream_id == case]):
            await asyncio.sleep(0.05)
    return found[0]


@asynccontextmanager
async def a_delivery_worker(worker: RunningWorker) -> AsyncIterator[str]:
    """Runs a delivery worker, and yields its task queue."""
    queue = f"d-{uuid4().hex[:8]}"
    delivering = DeliveryActivities(worker.pool, worker.keys, WebhookClient(loopback=True, read_s=2.0))
    async with delivery_worker(worker.client, delivering, task_queue=queue):
        yield queue


async def begun(client: Client, outbox_id: UUID, queue: str) -> WorkflowHandle[DeliveryWorkflow, None]:
    await start_delivery(client, outbox_id, task_queue=queue)
    return client.get_workflow_handle_for(DeliveryWorkflow.run, f"delivery-{outbox_id}")


async def pauses(handle: WorkflowHandle[DeliveryWorkflow, None]) -> list[float]:
    """Returns the pauses of a workflow run (seconds)."""
    return [
        event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta().total_seconds()
        for event in (await handle.fetch_history()).events
        if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED
    ]


async def test_after_ten_tries_in_three_days_a_message_is_a_dead_letter_and_its_case_knows(
    database: Database, servers: Servers, stranger: ReceiverProcess
) -> None:
    async with a_running_worker(database, servers) as worker, a_delivery_worker(worker) as queue:
        await a_clinic(worker, stranger.url("fail"))
        case = await a_screened_case(worker)
        message = await its_message(worker, case)

        handle = await begun(TimeSkipper(worker.client).client, message.outbox_id, queue)
        async with asyncio.timeout(120):
            await handle.result()

        assert [asked["headers"]["webhook-id"] for asked in stranger.asked] == [str(message.outbox_id)] * TRIES
        made = await pauses(handle)
        assert len(made) == len(SCHEDULE) == TRIES - 1
        for pause, planned in zip(made, SCHEDULE, strict=True):
            assert 0.9 <= pause / planned.total_seconds() <= 1.1
        assert (
            len({round(pause / planned.total_seconds(), 3) for pause, planned in zip(made, SCHEDULE, strict=True)}) > 1
        )
        dead = await Outbox(worker.pool).get(message.outbox_id)
        assert dead is not None
        assert (dead.status, dead.attempts, dead.last_error) == ("dead", TRIES, "HTTP_500")
        assert "ReferralDeliveryFailed" in await worker.until(case, "ReferralDeliveryFailed")
        replayer = Replayer(
            workflows=[DeliveryWorkflow], data_converter=pydantic_data_converter, workflow_runner=sandbox("httpcore2")
        )
        await replayer.replay_workflow(await handle.fetch_history())


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    assert [pause.total_seconds() / 60 for pause in SCHEDULE] == [5 / 60, 5, 30, 120, 300, 600, 840, 1200, 1440]
    assert sum(SCHEDULE, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)


async def test_a_partner_that_says_how_long_is_left_alone_that_long_and_no_longer_than_a_day(
    database: Database, servers: Servers, stranger: ReceiverProcess
) -> None:
    async with a_running_worker(database, servers) as worker, a_delivery_worker(worker) as queue:
        await a_clinic(worker, stranger.url("busy,closed,fail,ok"))
        message = await its_message(worker, await a_screened_case(worker))

        handle = await begun(TimeSkipper(worker.client).client, message.outbox_id, queue)
        async with asyncio.timeout(120):
            await handle.result()

        two_hours, a_day, as_planned = await pauses(handle)
        assert two_hours == 7200
        assert a_day == max(SCHEDULE).total_seconds()
        assert 0.9 <= as_planned / SCHEDULE[2].total_seconds() <= 1.1
        settled = await Outbox(worker.pool).get(message.outbox_id)
        assert settled is not None
        assert (settled.status, settled.attempts) == ("delivered", 4)


async def test_a_restarted_run_continues_the_count_of_attempts(
    database: Database, servers: Servers, stranger: ReceiverProcess
) -> None:
    """Temporal's store was lost after eight attempts, so two are left."""
    async with a_running_worker(database, servers) as worker, a_delivery_worker(worker) as queue:
        await a_clinic(worker, stranger.url("fail"))
        message = await its_message(worker, await a_screened_case(worker))
        for _ in range(8):
            await Outbox(worker.pool).failed(message.outbox_id, "HTTP_500")

        handle = await begun(TimeSkipper(worker.client).client, message.outbox_id, queue)
        async with asyncio.timeout(120):
            await handle.result()

        assert len(stranger.asked) == 2
        assert len(await pauses(handle)) == 1


async def test_a_message_under_a_hold_waits_without_a_workflow_and_leaves_when_it_is_lifted(
    database: Database, servers: Servers, stranger: ReceiverProcess
) -> None:
    async with a_running_worker(database, servers) as worker, a_delivery_worker(worker) as queue:
        await a_clinic(worker, stranger.url("ok"), EMBASSY)
        case = await a_screened_case(worker)
        message = await its_message(worker, case, EMBASSY)
        await worker.told(case, "PlaceHold", hold_type="CONSENT", reason="in doubt")
        stop = asyncio.Event()
        relay = Relay(
            worker.client, worker.pool, worker.keys, worker.dsn, task_queue=worker.queue, deliveries=queue
        )  # fmt: skip
        relaying = asyncio.create_task(relay.run(stop))
        try:
            await until(worker, message.outbox_id, "held_revision IS NOT NULL")
            handle = worker.client.get_workflow_handle(f"delivery-{message.outbox_id}")
            async with asyncio.timeout(30):
                while (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
                    await asyncio.sleep(0.05)
            assert stranger.asked == []

            declared = {"country": "NGA", "form_version": "VRD-1", "language": "en"}
            free = {"understood": True, "free_of_pressure": True, "in_private": True}
            await worker.told(case, "AssessVoluntariness", **free)
            await worker.told(case, "SignVoluntaryReturnDeclaration", **declared)
            state = await worker.state(case)
            assert isinstance(state, Case)
            await worker.told(case, "LiftHold", hold_id=str(next(iter(state.holds))), reason="declared again")
            await until(worker, message.outbox_id, "status = 'delivered'")
        finally:
            stop.set()
            await relaying

        assert len(stranger.asked) == 1


async def until(worker: RunningWorker, outbox_id: UUID, true: str, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await worker.pool.fetchval(f"SELECT {true} FROM outbox WHERE outbox_id = $1", outbox_id):  # noqa: S608
            await asyncio.sleep(0.05)


@dataclass
class ReleasedMeanwhile:
    """A delivery activity that reports a hold, while the case releases the message at the same moment."""

    client: Client
    attempts: int = 0
    given_up: list[str] = field(default_factory=list)

    @activity.defn(name="deliver")
    async def deliver(self, outbox_id: str) -> Attempt:
        self.attempts += 1
        if self.attempts > 1:
            return OVER
        await self.client.get_workflow_handle(f"delivery-{outbox_id}").signal("ring")
        return HELD


async def test_a_run_that_is_about_to_end_handles_a_signal_that_arrives_then(
    servers: Servers, database: Database
) -> None:
    async with an_intake(database, servers) as intake:
        activities, outbox_id, queue = ReleasedMeanwhile(intake.client), uuid4(), f"d-{uuid4().hex[:8]}"
        async with Worker(
            intake.client, task_queue=queue, workflows=[DeliveryWorkflow], activities=[activities.deliver],
            workflow_runner=sandbox("httpx2", "httpcore2", "cryptography"),
        ):  # fmt: skip
            handle = await begun(intake.client, outbox_id, queue)
            async with asyncio.timeout(60):
                await handle.result()

        assert activities.attempts == 2


@pytest.mark.slow
async def test_a_worker_killed_during_an_attempt_costs_no_attempt_and_changes_no_id(
    database: Database, servers: Servers, stranger: ReceiverProcess, tmp_path: Path
) -> None:
    """With real processes and pauses: the receiver hangs, the worker is killed, and another worker takes over."""
    home = tmp_path / "home"
    async with (
        an_intake(database, servers) as intake,
        worker_processes(database, servers, home, AWDA_LOOPBACK_RECEIVERS="1") as processes,
    ):
        url = stranger.url("hang,fail,ok")
        await standins.seed(intake.pool, intake.keys.master, lambda name: url if name == "clinic-tripoli" else None)
        for name in ("case-worker", "relay"):
            await processes.start(name)
        receipt = await intake.begin(**REGISTRATION)
        assert receipt.stream_id is not None
        for name, fields in (*SCREENING, ("CompleteScreening", {})):
            await intake.say(receipt.stream_id, name, **fields)
        await stranger.noted("asked", 1, seconds=120)

        processes.kill("case-worker")
        await stranger.noted("left alone", 1)
        await stranger.noted("asked", 3, seconds=180)

        outbox_id = UUID(stranger.asked[0]["headers"]["webhook-id"])
        await until(intake, outbox_id, "status = 'delivered'")
        assert processes.deaths == 1
        assert {asked["headers"]["webhook-id"] for asked in stranger.asked} == {str(outbox_id)}
        assert len({asked["body"] for asked in stranger.asked}) == 1
        settled = await Outbox(intake.pool).get(outbox_id)
        assert settled is not None
        assert settled.attempts == 2, "one attempt failed and one succeeded; the interrupted one does not count"
        by_hand = await Outbox(intake.pool).by_hand("embassy-nga")
        assert [row.stream_id for row in by_hand] == [receipt.stream_id]
        await intake.until(receipt.stream_id, "TaskRaised")
