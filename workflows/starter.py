"""Starts and signals workflows from outside. Workflow types, workflow ids and task queues are defined here only."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

CASES: Final = "awda-cases"

DELIVERIES: Final = "awda-deliveries"

WORKFLOW_OF: Final = {
    "case": "CaseWorkflow",
    "movement": "MovementWorkflow",
    "desk": "DeskWorkflow",
    "contact": "ContactWorkflow",
}


def workflow_id(kind: str, stream_id: UUID) -> str:
    """Returns the workflow id of a stream: its kind and its random id, with no personal data."""
    return f"{kind}-{stream_id}"


async def wake_stream(client: Client, kind: str, stream_id: UUID, *, task_queue: str = CASES) -> None:
    """Signals a stream's workflow, and starts it if it is not running.

    The signal has no payload, so that sending it twice is harmless.
    """
    await client.start_workflow(
        WORKFLOW_OF[kind],
        str(stream_id),
        id=workflow_id(kind, stream_id),
        task_queue=task_queue,
        start_signal="ring",
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )


async def start_delivery(
    client: Client, outbox_id: UUID, *, task_queue: str = DELIVERIES, released: bool = False
) -> None:
    """Starts the delivery of one outbox row, unless its delivery is already running.

    With ``released``, also sends the signal: the message was held back, and its case has changed since. A run that is
    about to end receives the signal and makes another attempt.
    """
    await client.start_workflow(
        "DeliveryWorkflow",
        str(outbox_id),
        id=f"delivery-{outbox_id}",
        task_queue=task_queue,
        start_signal="ring" if released else None,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )
