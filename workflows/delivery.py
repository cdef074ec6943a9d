"""The workflow of one message to one partner, until it is delivered or moved to the dead letters.

A delivery has its own workflow because retries over days would make the history of a case too long.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.delivery import Attempt, DeliveryActivities

SCHEDULE: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Pauses between the ten attempts, 75.5 hours in total (Standard Webhooks 1.0)."""

LONGEST_PAUSE: Final = max(SCHEDULE)

ATTEMPT_TIMEOUT: Final = timedelta(seconds=40)

ACTIVITY_RETRY: Final = RetryPolicy(maximum_interval=timedelta(seconds=30))
"""For failures of our own infrastructure. A failed attempt at the partner is a result and follows ``SCHEDULE``."""


@workflow.defn(name="DeliveryWorkflow")
class DeliveryWorkflow:
    """Attempts a delivery, pauses, and attempts it again. After the last attempt the message becomes a dead letter.

    The number of attempts is stored with the message, so that a new run continues the count. If the message may not
    be released yet, the run ends; the relay starts another one when the message's case has changed.
    """

    def __init__(self) -> None:
        self.signals_received = 0

    @workflow.run
    async def run(self, outbox_id: str) -> None:
        while True:
            received_before = self.signals_received
            attempt = await workflow.execute_activity_method(
                DeliveryActivities.deliver,
                outbox_id,
                start_to_close_timeout=ATTEMPT_TIMEOUT,
                retry_policy=ACTIVITY_RETRY,
            )
            if attempt.over or (attempt.held and self.signals_received == received_before):
                return
            if attempt.tries > len(SCHEDULE):
                break
            if not attempt.held:
                await workflow.sleep(_pause_after(attempt))
        await workflow.execute_activity_method(
            DeliveryActivities.give_up, outbox_id, start_to_close_timeout=ATTEMPT_TIMEOUT, retry_policy=ACTIVITY_RETRY
        )

    @workflow.signal(name="ring")
    def case_changed(self) -> None:
        """The case has changed since the message was held back: it may be released now."""
        self.signals_received += 1


def _pause_after(attempt: Attempt) -> timedelta:
    """Returns the scheduled pause with 10 % jitter, or the partner's ``Retry-After`` if that is longer.

    Never longer than the schedule's longest pause (with its jitter).
    """
    pause = SCHEDULE[attempt.tries - 1] * workflow.random().uniform(0.9, 1.1)
    return max(pause, min(timedelta(seconds=attempt.rest_s), LONGEST_PAUSE))
