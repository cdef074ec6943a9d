"""Checks that every open stream has a running workflow, and that no workflow has failed or keeps failing."""

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
"""How many workflows are queried concurrently."""

TRIES: Final = 3
"""A workflow task with more attempts than this counts as failing repeatedly."""

Status = WorkflowExecutionStatus

FAILED: Final = frozenset({Status.FAILED, Status.TIMED_OUT})

CUT_OFF: Final = frozenset({Status.TERMINATED, Status.CANCELED})


async def check_workflows(client: Client, heads: Sequence[StreamHead]) -> list[Finding]:
    """Returns a finding for each stream whose workflow is missing, has failed or keeps failing.

    Raises ``RPCError`` if Temporal does not answer.
    """
    limit = asyncio.Semaphore(AT_ONCE)

    async def check(head: StreamHead) -> Finding | None:
        async with limit:
            return await _check(client, head)

    found = await asyncio.gather(*(check(head) for head in heads))
    return [finding for finding in found if finding]


async def failed(client: Client, heads: Iterable[StreamHead]) -> list[StreamHead]:
    """Returns those of the streams of which any workflow run has failed, however long ago."""
    by_id = {workflow_id(head.kind, head.stream_id): head for head in heads}
    types = ", ".join(f"'{name}'" for name in WORKFLOW_OF.values())
    query = f"ExecutionStatus IN ('Failed', 'TimedOut') AND WorkflowType IN ({types})"
    failed_ids = {run.id async for run in client.list_workflows(query)}
    return [head for name, head in by_id.items() if name in failed_ids]


async def _check(client: Client, head: StreamHead) -> Finding | None:
    name = workflow_id(head.kind, head.stream_id)
    try:
        run = await client.get_workflow_handle(name).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        detail = f"workflow {name} has not been started; run `awda rehydrate`"
        return Finding("no-run", head.number, detail) if head.open else None
    attempt = run.raw_description.pending_workflow_task.attempt
    if attempt > TRIES:
        detail = f"workflow {name} has failed its workflow task {attempt - 1} times; see the log of the case worker"
        return Finding("stuck-run", head.number, detail)
    if run.status in FAILED or (head.open and run.status in CUT_OFF):
        status = run.status.name.lower().replace("_", " ")
        return Finding(
            "failed-run", head.number, f"the latest run of workflow {name} is {status}; run `awda rehydrate`"
        )
    if head.open and run.status is not Status.RUNNING:
        detail = f"workflow {name} is not running although the stream is open; run `awda rehydrate`"
        return Finding("no-run", head.number, detail)
    return None
