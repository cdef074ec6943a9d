"""Events of the reintegration stage."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.message import Word


class PlanItem(BaseModel):
    """One thing the plan gives. Amounts are whole euros at the rate of approval."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item_id: Word
    type: Word
    description: Word
    amount_eur: Annotated[int, Field(ge=0, le=100_000)]


# Facts, in the order they usually happen


class ReintegrationEnrolled(Event):
    TOPIC: ClassVar[str] = "ReintegrationEnrolled"
    SENTENCE: ClassVar[str] = "Enrolled for reintegration at {office}."

    office: str


class ArrivalCounsellingHeld(Event):
    TOPIC: ClassVar[str] = "ArrivalCounsellingHeld"
    SENTENCE: ClassVar[str] = "Counselled after arrival."


class ReintegrationNeedsAssessed(Event):
    TOPIC: ClassVar[str] = "ReintegrationNeedsAssessed"
    SENTENCE: ClassVar[str] = "Needs assessed."

    needs: Annotated[tuple[str, ...] | None, Sealed(Compartment.GEN)] = None


class ReintegrationPlanDrafted(Event):
    TOPIC: ClassVar[str] = "ReintegrationPlanDrafted"
    SENTENCE: ClassVar[str] = "Plan {plan_version} drafted: {total_eur} EUR."

    plan_version: int
    total_eur: int
    drafted_by: str
    item_ids: tuple[str, ...]
    items: Annotated[tuple[PlanItem, ...] | None, Sealed(Compartment.FIN)] = None


class ReintegrationPlanApproved(Event):
    TOPIC: ClassVar[str] = "ReintegrationPlanApproved"
    SENTENCE: ClassVar[str] = "Plan {plan_version} approved by {approved_by}."

    plan_version: int
    approved_by: str


class AssistanceItemDelivered(Event):
    TOPIC: ClassVar[str] = "AssistanceItemDelivered"
    SENTENCE: ClassVar[str] = "Item {item_id} delivered."

    item_id: str


class AssistanceItemCancelled(Event):
    TOPIC: ClassVar[str] = "AssistanceItemCancelled"
    SENTENCE: ClassVar[str] = "Item {item_id} cancelled: {reason}."

    item_id: str
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None


class MonitoringVisitConducted(Event):
    TOPIC: ClassVar[str] = "MonitoringVisitConducted"
    SENTENCE: ClassVar[str] = "Visited in month {month}: {finding}."

    month: int
    finding: Annotated[str | None, Sealed(Compartment.GEN)] = None


class ReintegrationSurveyRecorded(Event):
    TOPIC: ClassVar[str] = "ReintegrationSurveyRecorded"
    SENTENCE: ClassVar[str] = "Sustainability survey ({wave}, version {rss_version}): composite {composite}."

    wave: str
    rss_version: str
    composite: float | None = None


class ReintegrationCompleted(Event):
    TOPIC: ClassVar[str] = "ReintegrationCompleted"
    SENTENCE: ClassVar[str] = "Reintegration completed."
