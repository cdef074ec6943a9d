"""The workflow of one return case: it takes the case through the seven stages of the procedure.

Order of the stages (edition 2026-1; an edition is data, see ``domain/procedure.py``)::

    1  Screening
    2  Protection | Medical clearance | Travel documents    in parallel
       --- travel gate: nomination, manifest freeze, check-in, boarding ---
    3  Departure                 may open early: once nationality is confirmed, to reserve a seat
    4  Post-arrival reception    may open early: 14 days before the flight, to prepare
    5  Reintegration

Opening. The workflow works on the first row with an unfinished stage, and orders the stages of that row open. A stage
opens only on this order. The domain can refuse: each stage has its own rule for when it may open
(``domain/stages/``), and ``Progress.may_open`` lists the stages whose rule is satisfied.

Reopening. Until departure, a completed stage reopens when what it rested on ends: the eligibility decision
(screening); a protection clearance, the safety of return or the advisory behind it (protection); the medical
assessment or the fit-to-travel certificate (medical clearance); the confirmed nationality, the travel document or the
exit permit (travel documents). Its row is then the first unfinished row again. A case that is reopened after closure
starts its stages again.

Travel gate. The domain evaluates it at each of the four checkpoints (``domain/clearance/travel_gate.py``). A person
who no longer passes it after check-in is taken off the flight. A failure does not end the workflow: the case waits for
what is missing.

Waiting. The workflow waits for a message in the case's inbox or for the earliest deadline, whichever comes first.
``Progress.waiting_on`` names what is missing, ``Progress.wait_s`` the seconds until the deadline. The ``record``
activity then applies the messages and the deadlines that have passed. The case is over when it is closed and no
deadline remains.

The event log in PostgreSQL is the source of truth. The workflow keeps no state that the log does not hold, so that a
new, continued or recreated run starts with a recording and finds its place.
"""

from __future__ import annotations

from uuid import UUID

from temporalio import workflow

from workflows.stream import StreamClient

with workflow.unsafe.imports_passed_through():
    from domain.kernel.vocabulary import Stage
    from domain.procedure import current_row, stages_in_turn
    from domain.progress import Progress, RecordRequest


@workflow.defn(name="CaseWorkflow")
class CaseWorkflow:
    """Orders stages open, waits for a message or a deadline, and records, until the case is over."""

    def __init__(self) -> None:
        self.stream = StreamClient()

    @workflow.run
    async def run(self, case_id: str) -> None:
        progress = await self.stream.record(RecordRequest(stream_id=UUID(case_id)))
        while not progress.over:
            opening = stages_to_open(progress)
            if not opening and not progress.more:
                workflow.set_current_details(_status(progress))
                await self.stream.wait_for_message_or_deadline(progress)
            if self.stream.should_continue_as_new():
                workflow.continue_as_new(case_id)  # loses no message: the next run starts with a recording
            progress = await self.stream.record(RecordRequest(stream_id=UUID(case_id), open=opening))

    @workflow.signal(name="ring")
    def message_waiting(self) -> None:
        """A message is in the inbox. The signal has no arguments, so that a forged one can carry nothing."""
        self.stream.notify()


def stages_to_open(progress: Progress) -> tuple[Stage, ...]:
    """Returns the stages to order open now: those whose turn it is in the procedure and that may open."""
    in_turn = stages_in_turn(progress.edition, progress.done)
    return tuple(stage for stage in in_turn if stage in progress.may_open)


def _status(progress: Progress) -> str:
    """Returns one line for the Temporal UI: the current stages and what the case waits for."""
    stages = " + ".join(current_row(progress.edition, progress.done)) or "closing"
    return f"{stages}: waiting for {progress.waiting_on or 'staff'}"
