"""One message to one partner, until it is delivered or given up: days of retries have no place in a case's history."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.deliver import Delivering

SCHEDULE: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Pauses between ten tries, over 75 hours and a half (Standard Webhooks 1.0)."""

AN_ATTEMPT: Final = timedelta(seconds=40)
INFRASTRUCTURE: Final = RetryPolicy(maximum_interval=timedelta(seconds=30))


@workflow.defn(name="DeliveryWorkflow")
class DeliveryWorkflow:
    """Tries, waits, tries again; gives up with a dead letter that a person sees."""

    @workflow.run
    async def run(self, outbox_id: str) -> None:
        for pause in SCHEDULE:
            if await self._try(outbox_id):
                return
            await workflow.sleep(pause * workflow.random().uniform(0.9, 1.1))
        if not await self._try(outbox_id):
            await workflow.execute_activity_method(
                Delivering.give_up, outbox_id, start_to_close_timeout=AN_ATTEMPT, retry_policy=INFRASTRUCTURE
            )

    async def _try(self, outbox_id: str) -> bool:
        return await workflow.execute_activity_method(
            Delivering.deliver, outbox_id, start_to_close_timeout=AN_ATTEMPT, retry_policy=INFRASTRUCTURE
        )
