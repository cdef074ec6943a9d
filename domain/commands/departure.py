"""Commands of the departure stage."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from domain.kernel.message import Message, Word


class AllocateFunding(Message):
    project: Word
    until: AwareDatetime


class NominatePassenger(Message):
    movement_id: UUID
    movement: Word
    std: AwareDatetime
    sta: AwareDatetime


class ReleaseSeat(Message):
    cause: Word


class HoldPreDepartureBriefing(Message):
    language: Word


class ReaffirmVoluntaryReturn(Message):
    method: Literal["IN_PRIVATE", "VERBAL", "WRITTEN"] = "IN_PRIVATE"
    checkpoint: Literal["BEFORE_CHECK_IN", "GATE"] = "BEFORE_CHECK_IN"


class RecordDepartureInterview(Message):
    in_private: bool
    voluntary_reaffirmed: bool
    fear_expressed: bool = False
    account: Annotated[str, Field(max_length=4000)] | None = None
    feedback: Annotated[str, Field(max_length=4000)] | None = None
    concern: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    """Any other protection concern raised in the interview."""


class CheckInPassenger(Message):
    pass


class BoardPassenger(Message):
    pass


class DenyBoarding(Message):
    by: Literal["CARRIER", "AUTHORITY", "IOM"]
    cause: Word


class RecordNoShow(Message):
    cause: Word = "UNKNOWN"


class OffloadPassenger(Message):
    cause: Word
