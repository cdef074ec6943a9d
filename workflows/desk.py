"""A partner's desk: records what was decided there, and rests until it is rung again."""

from __future__ import annotations

from uuid import UUID

from temporalio import workflow

from workflows.stream import StreamClient

with workflow.unsafe.imports_passed_through():
    from domain.progress import RecordRequest


@workflow.defn(name="DeskWorkflow")
class DeskWorkflow:
    """Records, as long as there is more."""

    def __init__(self) -> None:
        self.bell = StreamClient()

    @workflow.run
    async def run(self, desk_id: str) -> None:
        order = RecordRequest(stream_id=UUID(desk_id))
        desk = await self.bell.record(order)
        while desk.more or self.bell.rung > self.bell.heard:
            desk = await self.bell.record(order)

    @workflow.signal
    def ring(self) -> None:
        """A decision waits in the inbox."""
        self.bell.ring()
