"""Commands of the post-arrival reception stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from domain.kernel.message import Message, Word


class ConfirmArrival(Message):
    arrived_at: AwareDatetime | None = None


class RecordReception(Message):
    met: bool
    met_by: Word | None = None
    cause: Word | None = None


class ProvideImmediateAssistance(Message):
    items: Annotated[tuple[Word, ...], Field(min_length=1)]
    cash_eur: Annotated[int, Field(ge=0, le=10_000)] = 0


class ProvideAccommodation(Message):
    nights: Annotated[int, Field(ge=1, le=60)]


class ProvideOnwardTransport(Message):
    mode: Word


class CompleteReception(Message):
    outcome: Literal["RECEIVED", "RECEIVED_WITH_SHELTER", "DECLINED"]
