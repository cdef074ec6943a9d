"""One flight: it is rung by nominations and by staff, freezes by itself, and ends when it has landed."""

from __future__ import annotations

from uuid import UUID

from temporalio import workflow

from workflows.stream import StreamClient

with workflow.unsafe.imports_passed_through():
    from domain.progress import RecordRequest


@workflow.defn(name="MovementWorkflow")
class MovementWorkflow:
    """Records what the flight is told, and wakes for its freeze."""

    def __init__(self) -> None:
        self.bell = StreamClient()

    @workflow.run
    async def run(self, movement_id: str) -> None:
        order = RecordRequest(stream_id=UUID(movement_id))
        movement = await self.bell.record(order)
        while not movement.over:
            if not movement.more:
                await self.bell.ring_or_deadline(movement.wait_s, movement.waiting_on)
            if self.bell.must_rotate():
                workflow.continue_as_new(movement_id)
            movement = await self.bell.record(order)

    @workflow.signal
    def ring(self) -> None:
        """Something waits in the inbox."""
        self.bell.ring()
