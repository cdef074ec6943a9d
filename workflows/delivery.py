"""One message to one partner, until it is delivered or given up: days of retries have no place in a case's history."""

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
"""Pauses between ten tries, over 75 hours and a half (Standard Webhooks 1.0)."""

LONGEST: Final = max(SCHEDULE)

AN_ATTEMPT: Final = timedelta(seconds=40)

INFRASTRUCTURE: Final = RetryPolicy(maximum_interval=timedelta(seconds=30))


@workflow.defn(name="DeliveryWorkflow")
class DeliveryWorkflow:
    """Tries, waits, tries again; gives up with a dead letter that a person sees.

    How many tries there have been is written beside the message, so that a run that begins anew goes on counting.
    A message that may not leave ends the run; the relay begins another once its case has gone on.
    """

    def __init__(self) -> None:
        self.rung = 0

    @workflow.run
    async def run(self, outbox_id: str) -> None:
        while True:
            heard = self.rung
            tried = await workflow.execute_activity_method(
                DeliveryActivities.deliver, outbox_id, start_to_close_timeout=AN_ATTEMPT, retry_policy=INFRASTRUCTURE
            )
            if tried.over or (tried.held and self.rung == heard):
                return
            if tried.tries > len(SCHEDULE):
                break
            if not tried.held:
                await workflow.sleep(_pause(tried))
        await workflow.execute_activity_method(
            DeliveryActivities.give_up, outbox_id, start_to_close_timeout=AN_ATTEMPT, retry_policy=INFRASTRUCTURE
        )

    @workflow.signal
    def ring(self) -> None:
        """The case has gone on since the message was held back."""
        self.rung += 1


def _pause(tried: Attempt) -> timedelta:
    """The schedule's, give or take a tenth; longer if the partner asked for it, up to the schedule's longest."""
    pause = SCHEDULE[tried.tries - 1] * workflow.random().uniform(0.9, 1.1)
    return max(pause, min(timedelta(seconds=tried.rest_s), LONGEST))
