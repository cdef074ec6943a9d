"""Events of the reintegration stage."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.message import Word


class PlanItem(BaseModel):
    """One item of assistance in a reintegration plan. Amounts are whole euros at the exchange rate of approval."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item_id: Word
    type: Word
    description: Word
    amount_eur: Annotated[int, Field(ge=0, le=100_000)]


# Events, in their usual order


class ReintegrationEnrolled(Event):
    TOPIC: ClassVar[str] = "ReintegrationEnrolled"
    SENTENCE: ClassVar[str] = "Enrolled in reintegration at {office}."

    office: str


class ArrivalCounsellingHeld(Event):
    TOPIC: ClassVar[str] = "ArrivalCounsellingHeld"
    SENTENCE: ClassVar[str] = "Post-arrival counselling held."


class ReintegrationNeedsAssessed(Event):
    TOPIC: ClassVar[str] = "ReintegrationNeedsAssessed"
    SENTENCE: ClassVar[str] = "Reintegration needs assessed."

    needs: Annotated[tuple[str, ...] | None, Sealed(Compartment.GEN)] = None


class ReintegrationPlanDrafted(Event):
    TOPIC: ClassVar[str] = "ReintegrationPlanDrafted"
    SENTENCE: ClassVar[str] = "Reintegration plan drafted: version {plan_version}, {total_eur} EUR."

    plan_version: int
    total_eur: int
    drafted_by: str
    item_ids: tuple[str, ...]
    items: Annotated[tuple[PlanItem, ...] | None, Sealed(Compartment.FIN)] = None


class ReintegrationPlanApproved(Event):
    TOPIC: ClassVar[str] = "ReintegrationPlanApproved"
    SENTENCE: ClassVar[str] = "Reintegration plan approved: version {plan_version}, by {approved_by:actor}."

    plan_version: int
    approved_by: str


class AssistanceItemDelivered(Event):
    TOPIC: ClassVar[str] = "AssistanceItemDelivered"
    SENTENCE: ClassVar[str] = "Assistance item delivered: {item_id}."

    item_id: str


class AssistanceItemCancelled(Event):
    TOPIC: ClassVar[str] = "AssistanceItemCancelled"
    SENTENCE: ClassVar[str] = "Assistance item cancelled: {item_id} (reason: {reason})."

    item_id: str
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None


class MonitoringVisitConducted(Event):
    TOPIC: ClassVar[str] = "MonitoringVisitConducted"
    SENTENCE: ClassVar[str] = "Monitoring visit conducted in month {month}: {finding}."

    month: int
    finding: Annotated[str | None, Sealed(Compartment.GEN)] = None


class ReintegrationSurveyRecorded(Event):
    TOPIC: ClassVar[str] = "ReintegrationSurveyRecorded"
    SENTENCE: ClassVar[str] = "Reintegration sustainability survey ({wave:words}, version {rss_version}): {score}."

    wave: str
    rss_version: str
    composite: float | None = None

    def sentence_values(self) -> dict[str, Any]:
        score = "no composite score" if self.composite is None else f"composite score {self.composite}"
        return {**self.facts, "score": score}


class ReintegrationCompleted(Event):
    TOPIC: ClassVar[str] = "ReintegrationCompleted"
    SENTENCE: ClassVar[str] = "Reintegration completed."
