"""The workflow of one callback request: it is recorded, escalated if it is overdue, and ends when staff settle it."""

from __future__ import annotations

from temporalio import workflow

from workflows.stream import StreamClient, run_until_closed


@workflow.defn(name="ContactWorkflow")
class ContactWorkflow:
    """Records the messages about the request and its deadline, and ends when the request is settled."""

    def __init__(self) -> None:
        self.stream = StreamClient()

    @workflow.run
    async def run(self, contact_id: str) -> None:
        await run_until_closed(self.stream, contact_id)

    @workflow.signal(name="ring")
    def message_waiting(self) -> None:
        """A message is in the inbox."""
        self.stream.notify()
