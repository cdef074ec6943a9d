"""What the workflows of all streams share: notifications, the deadline timer, and the call that records.

Nothing is kept here that the event log does not hold. A new, continued, reopened or recreated run starts with a
recording and learns its state from the log.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.recording import RecordingActivities
    from domain.progress import Progress, RecordRequest

SINGLE_ATTEMPT: Final = RetryPolicy(maximum_attempts=1)

RETRY_FOREVER: Final = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30))

LOCAL_ACTIVITY_TIMEOUT: Final = timedelta(seconds=3)

ACTIVITY_TIMEOUT: Final = timedelta(seconds=10)

MAX_HISTORY_EVENTS: Final = 1500
"""History events after which a run continues as new: replaying a longer history takes too long."""


async def run_until_closed(stream: StreamClient, stream_id: str) -> None:
    """Records the messages and deadlines of a stream without stages, until the stream is over.

    Movements and call requests use this loop. ``CaseWorkflow`` has its own, which also opens stages.
    """
    request = RecordRequest(stream_id=UUID(stream_id))
    progress = await stream.record(request)
    while not progress.over:
        if not progress.more:
            await stream.wait_for_message_or_deadline(progress)
        if stream.should_continue_as_new():
            workflow.continue_as_new(stream_id)
        progress = await stream.record(request)


async def run_until_idle(stream: StreamClient, stream_id: str) -> None:
    """Records until no message is left, then ends. The next message starts a new run.

    For streams that have no deadlines and never close.
    """
    request = RecordRequest(stream_id=UUID(stream_id))
    progress = await stream.record(request)
    while progress.more or stream.has_unhandled_signals:
        progress = await stream.record(request)


class StreamClient:
    """A workflow's access to its stream: counts signals, keeps the deadline timer, and calls the recording.

    ``signals_received`` counts signals and expired timers, ``signals_handled`` those that a recording has covered.
    """

    def __init__(self) -> None:
        self.signals_received = self.signals_handled = 0
        self._timer: asyncio.Task[None] | None = None
        self._timer_due: datetime | None = None

    @property
    def has_unhandled_signals(self) -> bool:
        return self.signals_received > self.signals_handled

    def notify(self) -> None:
        """Notes that the stream has something to record: a message, or a deadline that has passed."""
        self.signals_received += 1

    async def record(self, request: RecordRequest) -> Progress:
        """Applies waiting messages and passed deadlines to the stream, and returns its progress.

        Runs as a local activity first, which adds little to the history. If that fails or takes longer than three
        seconds, runs as a normal activity, which is retried until it succeeds. The recording is idempotent: it may run
        twice, and each message is applied once.
        """
        self.signals_handled = self.signals_received
        try:
            return await workflow.execute_local_activity_method(
                RecordingActivities.record,
                request,
                schedule_to_close_timeout=LOCAL_ACTIVITY_TIMEOUT,
                retry_policy=SINGLE_ATTEMPT,
            )
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise
        return await workflow.execute_activity_method(
            RecordingActivities.record, request, start_to_close_timeout=ACTIVITY_TIMEOUT, retry_policy=RETRY_FOREVER
        )

    async def wait_for_message_or_deadline(self, progress: Progress) -> None:
        """Waits until a signal arrives or the stream's earliest deadline passes."""
        self._set_timer(progress.wait_s, progress.waiting_on)
        await workflow.wait_condition(lambda: self.has_unhandled_signals)

    def should_continue_as_new(self) -> bool:
        """Returns whether the history has become long enough to start a new run."""
        info = workflow.info()
        return info.get_current_history_length() > MAX_HISTORY_EVENTS or info.is_continue_as_new_suggested()

    def _set_timer(self, wait_s: float | None, summary: str) -> None:
        """Keeps one timer, and replaces it only for an earlier deadline.

        A deadline that has moved later leaves the timer as it is: when it fires too early, the workflow records,
        learns the new deadline and waits again. This keeps the history short.
        """
        if wait_s is None:
            return
        due = workflow.now() + timedelta(seconds=max(1.0, wait_s))
        if self._timer_due is not None and self._timer_due <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due, self._timer = due, asyncio.create_task(self._notify_at(due, summary))

    async def _notify_at(self, due: datetime, summary: str) -> None:
        await workflow.sleep((due - workflow.now()).total_seconds(), summary=summary)
        self._timer_due = self._timer = None
        self.notify()
