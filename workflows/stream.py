"""What every stream's workflow has: an ear for rings, one alarm for the earliest deadline, and the recording.

It keeps nothing that the log does not hold. A new, continued, reopened or rehydrated run begins by asking the log.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.recording import RecordingActivities
    from domain.progress import Progress, RecordRequest

ONCE: Final = RetryPolicy(maximum_attempts=1)

WITHOUT_END: Final = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30))

SOON: Final = timedelta(seconds=3)

MAX_HISTORY_EVENTS: Final = 1500
"""History events after which a run hands over to the next: reading more than this again takes too long."""


class StreamClient:
    """Rings heard, and the alarm. ``rung`` counts rings, ``heard`` those that a recording has answered."""

    def __init__(self) -> None:
        self.rung = self.heard = 0
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at: datetime | None = None

    def ring(self) -> None:
        self.rung += 1

    async def record(self, order: RecordRequest) -> Progress:
        """Let the log catch up and learn where the stream stands. May run twice; the log takes it once.

        First beside the workflow, which costs no history; if that fails, as an activity that waits outside it.
        """
        self.heard = self.rung
        try:
            return await workflow.execute_local_activity_method(
                RecordingActivities.record, order, schedule_to_close_timeout=SOON, retry_policy=ONCE
            )
        except FailureError as failed:
            if is_cancelled_exception(failed):
                raise
        return await workflow.execute_activity_method(
            RecordingActivities.record, order, start_to_close_timeout=timedelta(seconds=10), retry_policy=WITHOUT_END
        )

    async def ring_or_deadline(self, wait_s: float | None, why: str) -> None:
        """Sleep until there is news, or until silence has lasted too long."""
        self._arm(wait_s, why)
        await workflow.wait_condition(lambda: self.rung > self.heard)

    def _arm(self, wait_s: float | None, why: str) -> None:
        """One alarm, moved only when the deadline moves earlier; one that is too early just asks the log again."""
        if wait_s is None:
            return
        at = workflow.now() + timedelta(seconds=max(1.0, wait_s))
        if self._alarm_at is not None and self._alarm_at <= at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at, self._alarm = at, asyncio.create_task(self._ring_at(at, why))

    async def _ring_at(self, at: datetime, why: str) -> None:
        await workflow.sleep((at - workflow.now()).total_seconds(), summary=why)
        self._alarm_at = self._alarm = None
        self.ring()

    @staticmethod
    def must_rotate() -> bool:
        info = workflow.info()
        return info.get_current_history_length() > MAX_HISTORY_EVENTS or info.is_continue_as_new_suggested()
