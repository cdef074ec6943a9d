"""The workflow of a partner desk: the decisions on a partner's messages that could not be assigned to a case."""

from __future__ import annotations

from temporalio import workflow

from workflows.stream import StreamClient, run_until_idle


@workflow.defn(name="DeskWorkflow")
class DeskWorkflow:
    """Records the decisions in the inbox and ends. The next decision starts a new run."""

    def __init__(self) -> None:
        self.stream = StreamClient()

    @workflow.run
    async def run(self, desk_id: str) -> None:
        await run_until_idle(self.stream, desk_id)

    @workflow.signal(name="ring")
    def message_waiting(self) -> None:
        """A decision is in the inbox."""
        self.stream.notify()
