"""The engine compared with an empty workflow: same server, sandbox and number of signals, with an empty activity.

Twenty concurrent cases with seven messages each; a case sends its next message when the previous one is settled.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.worker import Worker

from bench.measure import Measurement, paired
from bench.place import BenchServers

with workflow.unsafe.imports_passed_through():
    from activities.recording import RecordingActivities
    from domain.kernel.directory import Directory
    from domain.progress import Progress, RecordRequest
    from store.messages.inbox import Inbox, IncomingMessage, message_id_for, stream_id_for
    from store.postgres.notifier import INBOX, Notifier
    from tests.support.builders import AMINATA, PARTNERS
    from workers.case_worker import case_worker, sandbox
    from workers.projector import run as run_projector
    from workers.relay import Relay

CASES: Final = 20

ROUNDS: Final = 5

PERSON: Final = AMINATA.model_dump(mode="json", exclude_none=True)

MESSAGES: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    (
        "RegisterCase",
        {
            "person": PERSON,
            "country_of_return": "NGA",
            "channel": "WALK_IN",
            "office": "Tripoli",
            "consent_to_data_processing": True,
        },
    ),
    ("RecordConsent", {"purpose": "SHARE_CLINIC", "form_version": "C-1", "language": "en"}),
    ("RecordConsent", {"purpose": "SHARE_EMBASSY", "form_version": "C-1", "language": "en"}),
    ("RecordNonRefoulementScreen", {"outcome": "NO_CLAIM"}),
    ("RecordVulnerabilityAssessment", {"overall_risk": "LOW"}),
    ("AssessVoluntariness", {"understood": True, "free_of_pressure": True, "in_private": True}),
    ("SignVoluntaryReturnDeclaration", {"country": "NGA", "form_version": "VRD-1", "language": "en"}),
)


class WatchedRecording(RecordingActivities):
    """The production recording, which also sets an event when a message is settled, so that the bench need not poll."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.settled: dict[UUID, asyncio.Event] = defaultdict(asyncio.Event)

    async def partners(self, *, fresh: bool = False) -> Directory:  # noqa: ARG002
        return PARTNERS

    async def _write(self, batch: Any, *rest: Any) -> Any:
        written = await super()._write(batch, *rest)
        for settled in batch.settled:
            self.settled[settled.message_id].set()
        return written


def incoming(stream: UUID | None, message_id: UUID, name: str, fields: dict[str, Any]) -> IncomingMessage:
    body = json.dumps({"message": name, "fields": fields, "reason": None}, sort_keys=True).encode()
    return IncomingMessage(message_id, stream, "staff", "staff.message", body, "staff:bench", "bench")


@dataclass
class Engine:
    """The complete path of a message without HTTP: inbox row, relay, signal, recording, projector."""

    place: BenchServers
    recording: WatchedRecording
    inbox: Inbox
    notifier: Notifier

    async def one_case(self) -> None:
        stream: UUID | None = None
        for number, (name, fields) in enumerate(MESSAGES):
            message_id = message_id_for("bench", f"{uuid4()}")
            message = incoming(stream, message_id, name, fields)
            if number == 0:
                stream = stream_id_for(message_id)
                await self.inbox.start_case(message)
            else:
                await self.inbox.put(message)
            self.notifier.notify(INBOX, stream)
            await asyncio.wait_for(self.recording.settled[message_id].wait(), 60)

    async def run(self) -> float:
        started = time.perf_counter()
        await asyncio.gather(*(self.one_case() for _ in range(CASES)))
        return CASES / (time.perf_counter() - started)


EMPTY_DONE: dict[str, asyncio.Queue[None]] = defaultdict(asyncio.Queue)


@activity.defn(name="nothing")
async def nothing(order: RecordRequest) -> Progress:
    EMPTY_DONE[str(order.stream_id)].put_nowait(None)
    return Progress(wait_s=3600)


@workflow.defn(name="EmptyWorkflow")
class EmptyWorkflow:
    """Waits for a signal, runs an empty local activity, and repeats."""

    def __init__(self) -> None:
        self.signalled = self.handled = 0

    @workflow.run
    async def run(self, case_id: str) -> None:
        while True:
            await workflow.wait_condition(lambda: self.signalled > self.handled)
            self.handled = self.signalled
            await workflow.execute_local_activity(
                nothing, RecordRequest(stream_id=UUID(case_id)), schedule_to_close_timeout=timedelta(seconds=3)
            )

    @workflow.signal(name="ring")
    def message_waiting(self) -> None:
        self.signalled += 1


@dataclass
class EmptyEngine:
    """The same number of signals to workflows that record nothing."""

    client: Client
    queue: str

    async def one_case(self) -> None:
        case = str(uuid4())
        for _ in MESSAGES:
            await self.client.start_workflow(
                "EmptyWorkflow",
                case,
                id=f"empty-{case}",
                task_queue=self.queue,
                start_signal="ring",
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            )
            await asyncio.wait_for(EMPTY_DONE[case].get(), 60)

    async def run(self) -> float:
        started = time.perf_counter()
        await asyncio.gather(*(self.one_case() for _ in range(CASES)))
        return CASES / (time.perf_counter() - started)


async def measure(place: BenchServers) -> list[Measurement]:
    """Returns cases per second of the engine relative to what the server and the sandbox allow."""
    stop = asyncio.Event()
    queue = f"bench-{uuid4().hex[:8]}"
    async with Notifier(place.where.dsn) as notifier:
        recording = WatchedRecording(place.pool, place.keys, notifier, place.connections)
        engine = Engine(place, recording, Inbox(place.pool, place.keys), notifier)
        relay = Relay(place.client, place.pool, place.keys, place.where.dsn, task_queue=queue, deliveries=None)
        empty_worker = Worker(
            place.client,
            task_queue=f"{queue}-empty",
            workflows=[EmptyWorkflow],
            activities=[nothing],
            workflow_runner=sandbox("bench", "tests", "workers", "gateway"),
            max_cached_workflows=2000,
        )
        async with case_worker(place.client, recording, task_queue=queue), empty_worker:
            background = [
                asyncio.create_task(relay.run(stop)),
                asyncio.create_task(run_projector(place.pool, place.where.dsn, stop)),
            ]
            empty = EmptyEngine(place.client, f"{queue}-empty")
            await engine.run(), await empty.run()
            ratio, detail = await paired(engine.run, empty.run, ROUNDS)
            stop.set()
            await asyncio.gather(*background)
    name = "engine: cases per second relative to an empty workflow"
    return [Measurement(name, ratio, "ratio", 0.6, at_least=True, detail=detail)]
