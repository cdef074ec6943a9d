"""Commands of the reintegration stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from domain.events.reintegration import PlanItem
from domain.kernel.message import Message, Word


class EnrolReintegration(Message):
    office: Word


class RecordArrivalCounselling(Message):
    pass


class AssessReintegrationNeeds(Message):
    needs: Annotated[tuple[Word, ...], Field(min_length=1)]


class DraftPlan(Message):
    items: Annotated[tuple[PlanItem, ...], Field(min_length=1, max_length=30)]
    signed_by_returnee: bool


class ApprovePlan(Message):
    over_ceiling_approved_by: Word | None = None


class RecordDelivery(Message):
    item_id: Word


class CancelItem(Message):
    item_id: Word
    reason: Word


class RecordMonitoring(Message):
    month: Annotated[int, Field(ge=0, le=36)]
    finding: Word


class RecordRss(Message):
    wave: Literal["BASELINE", "MIDLINE", "ENDLINE"]
    rss_version: Word
    composite: Annotated[float, Field(ge=0, le=1)] | None = None


class CompleteReintegration(Message):
    pass
