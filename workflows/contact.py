"""One request to be called: it is recorded, wakes once if nobody calls, and ends when a person settles it."""

from __future__ import annotations

from uuid import UUID

from temporalio import workflow

from workflows.stream import StreamClient

with workflow.unsafe.imports_passed_through():
    from domain.progress import RecordRequest


@workflow.defn(name="ContactWorkflow")
class ContactWorkflow:
    """Records what is said about the request, and wakes for its deadline."""

    def __init__(self) -> None:
        self.bell = StreamClient()

    @workflow.run
    async def run(self, contact_id: str) -> None:
        order = RecordRequest(stream_id=UUID(contact_id))
        contact = await self.bell.record(order)
        while not contact.over:
            if not contact.more:
                await self.bell.ring_or_deadline(contact.wait_s, contact.waiting_on)
            if self.bell.must_rotate():
                workflow.continue_as_new(contact_id)
            contact = await self.bell.record(order)

    @workflow.signal
    def ring(self) -> None:
        """Something waits in the inbox."""
        self.bell.ring()
