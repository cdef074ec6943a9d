"""Commands of the protection stage."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from domain.kernel.message import Message, Word
from domain.kernel.person import Country
from domain.kernel.places import PART
from domain.kernel.vocabulary import AdvisoryLevel


class ReassessSafety(Message):
    """A return advisory for a country or a part of it changed; sent to every case that it may concern."""

    FROM: ClassVar[str] = "system"

    country: Country
    area: Annotated[str, Field(pattern=f"^{PART.pattern}$")] | None = None
    level: AdvisoryLevel
    advisory_version: Word
    number: int
    since: AwareDatetime


class AssessSafetyOfReturn(Message):
    area: Word
    result: Literal["SAFE", "SAFE_WITH_MITIGATION", "NOT_SAFE", "UNDETERMINED"]
    advisory_version: Word
    individual: bool = False
    mitigations: tuple[Word, ...] = ()
