"""Whether every open stream has a workflow that runs, and none that has failed or keeps failing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from audit.verification.report import Finding
from store.log.rows import StreamHead
from workflows.starter import WORKFLOW_OF, workflow_id

AT_ONCE: Final = 16

TRIES: Final = 3
"""A workflow task that has been tried more often than this keeps failing."""

Status = WorkflowExecutionStatus

FAILED: Final = frozenset({Status.FAILED, Status.TIMED_OUT})

CUT_OFF: Final = frozenset({Status.TERMINATED, Status.CANCELED})


async def check_workflows(client: Client, heads: Sequence[StreamHead]) -> list[Finding]:
    """Every stream whose workflow is missing, has failed or keeps failing. Raises ``RPCError`` if nobody answers."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(head: StreamHead) -> Finding | None:
        async with gate:
            return await _check(client, head)

    found = await asyncio.gather(*(one(head) for head in heads))
    return [finding for finding in found if finding]


async def failed(client: Client, heads: Iterable[StreamHead]) -> list[StreamHead]:
    """Of these streams, those of which some run has failed, perhaps long ago."""
    ours = {workflow_id(head.kind, head.stream_id): head for head in heads}
    names = ", ".join(f"'{name}'" for name in WORKFLOW_OF.values())
    query = f"ExecutionStatus IN ('Failed', 'TimedOut') AND WorkflowType IN ({names})"
    bad = {run.id async for run in client.list_workflows(query)}
    return [head for name, head in ours.items() if name in bad]


async def _check(client: Client, head: StreamHead) -> Finding | None:
    name = workflow_id(head.kind, head.stream_id)
    try:
        run = await client.get_workflow_handle(name).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return Finding("no-run", head.number, f"{name} has no run: ring it, or rehydrate") if head.open else None
    tried = run.raw_description.pending_workflow_task.attempt
    if tried > TRIES:
        return Finding("stuck-run", head.number, f"{name} has failed its workflow task {tried - 1} times")
    if run.status in FAILED or (head.open and run.status in CUT_OFF):
        return Finding("failed-run", head.number, f"the newest run of {name} is {run.status.name}: rehydrate")
    if head.open and run.status is not Status.RUNNING:
        return Finding("no-run", head.number, f"{name} does not run although something is awaited: ring it")
    return None
