"""The case-worker process: one Temporal worker for the workflows of streams, another for deliveries to partners.

Workflows run in the sandbox. Modules are either passed through explicitly or loaded for each workflow; a module that
would be loaded by accident stops the worker at start-up, because it would cost memory for every case.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from activities.delivery import DeliveryActivities
from activities.recording import RecordingActivities
from store.postgres.connections import open_connections
from store.postgres.notifier import Notifier
from workers.context import ProcessContext
from workers.egress import partner_client
from workers.temporal_client import connect
from workflows.case import CaseWorkflow
from workflows.contact import ContactWorkflow
from workflows.delivery import DeliveryWorkflow
from workflows.desk import DeskWorkflow
from workflows.movement import MovementWorkflow
from workflows.starter import CASES, DELIVERIES

log = logging.getLogger("awda.worker")

OWN_PASSTHROUGH: Final = ("domain", "store", "activities", "workflows.stream")

LIBRARY_PASSTHROUGH: Final = (
    "pydantic",
    "pydantic_core",
    "eventsourcing",
    "annotated_types",
    "typing_inspection",
    "asyncpg",
)

CACHED: Final = 2000

GRACE: Final = timedelta(seconds=3)


def sandbox(*more: str) -> SandboxedWorkflowRunner:
    """Returns the sandbox with the pass-through modules and ``more``. Any other pass-through raises an error."""
    policy = (
        SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
        | SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    )
    passed = SandboxRestrictions.default.with_passthrough_modules(*OWN_PASSTHROUGH, *LIBRARY_PASSTHROUGH, *more)
    return SandboxedWorkflowRunner(restrictions=passed.with_import_notification_policy(policy))


def case_worker(
    client: Client,
    recording: RecordingActivities,
    *,
    task_queue: str = CASES,
    cached: int = CACHED,
    workflows: Sequence[type] = (CaseWorkflow, MovementWorkflow, DeskWorkflow, ContactWorkflow),
) -> Worker:
    """Returns the worker for the workflows of streams.

    The recording is on the same task queue, so that it can run as a local activity.
    """
    return Worker(
        client,
        task_queue=task_queue,
        workflows=workflows,
        activities=[recording.record],
        workflow_runner=sandbox(),
        max_cached_workflows=cached,
        graceful_shutdown_timeout=GRACE,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=4),
    )


def delivery_worker(client: Client, delivering: DeliveryActivities, *, task_queue: str = DELIVERIES) -> Worker:
    """Returns the worker for deliveries. It connects to partners, and its activities write no events."""
    return Worker(
        client,
        task_queue=task_queue,
        workflows=[DeliveryWorkflow],
        activities=[delivering.deliver, delivering.give_up],
        workflow_runner=sandbox("httpx2", "httpcore2", "cryptography"),
        max_cached_workflows=CACHED,
        graceful_shutdown_timeout=GRACE,
    )


async def serve(context: ProcessContext) -> None:
    """Runs both workers until the process is asked to stop."""
    client = await connect(context.temporal_address, context.settings.temporal_namespace)
    async with Notifier(context.dsn) as notifier, open_connections(context.dsn) as connections:
        recording = RecordingActivities(context.pool, context.keys, notifier, connections)
        delivering = DeliveryActivities(
            context.pool, context.keys, await partner_client(context.settings, context.pool)
        )
        async with case_worker(client, recording), delivery_worker(client, delivering):
            await context.stop.wait()
