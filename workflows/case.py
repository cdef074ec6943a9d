"""One return case: screening; protection, medical and documents side by side; departure; reception; reintegration.

The log knows what happened. This file knows what comes next, who is waited for, and until when.
"""

from __future__ import annotations

from uuid import UUID

from temporalio import workflow

from workflows.stream import StreamClient

with workflow.unsafe.imports_passed_through():
    from domain.procedure import current_row
    from domain.progress import Progress, RecordRequest, stages_to_open


@workflow.defn(name="CaseWorkflow")
class CaseWorkflow:
    """Walks the procedure: orders stages open, waits for a ring or a deadline, records, until the case is over."""

    def __init__(self) -> None:
        self.bell = StreamClient()

    @workflow.run
    async def run(self, case_id: str) -> None:
        case = await self.bell.record(RecordRequest(stream_id=UUID(case_id)))
        while not case.over:
            opening = stages_to_open(case)
            if not opening and not case.more:
                workflow.set_current_details(f"{_where(case)}: waiting for {case.waiting_on or 'staff'}")
                await self.bell.ring_or_deadline(case.wait_s, case.waiting_on)
            if self.bell.must_rotate():
                workflow.continue_as_new(case_id)  # also with a ring pending: the next run records first
            case = await self.bell.record(RecordRequest(stream_id=UUID(case_id), open=opening))

    @workflow.signal
    def ring(self) -> None:
        """Something waits in the inbox. Without arguments, so that nothing a forger adds can matter."""
        self.bell.ring()


def _where(case: Progress) -> str:
    return " + ".join(current_row(case.edition, case.done)) or "closing"
