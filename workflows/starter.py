"""How a stream's workflow is rung, from outside: the one place that knows names, ids and task queues."""

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
    """Opaque outside: a kind and a random id, nothing about the person."""
    return f"{kind}-{stream_id}"


async def wake_stream(client: Client, kind: str, stream_id: UUID, *, task_queue: str = CASES) -> None:
    """Wake a stream's workflow, starting it if it does not run. Rings carry nothing, so ringing twice is harmless."""
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
    """Begin delivering one outbox row; a row that is being delivered already is left alone.

    ``released``: it was held back, and its case has gone on. A run that is just ending hears that, and looks again.
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
