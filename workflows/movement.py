"""The workflow of one movement (a flight): nominations, staff messages, the manifest freeze, departure and arrival."""

from __future__ import annotations

from temporalio import workflow

from workflows.stream import StreamClient, run_until_closed


@workflow.defn(name="MovementWorkflow")
class MovementWorkflow:
    """Records the movement's messages, freezes the manifest at its deadline, and ends when the movement is over."""

    def __init__(self) -> None:
        self.stream = StreamClient()

    @workflow.run
    async def run(self, movement_id: str) -> None:
        await run_until_closed(self.stream, movement_id)

    @workflow.signal(name="ring")
    def message_waiting(self) -> None:
        """A message is in the inbox."""
        self.stream.notify()
