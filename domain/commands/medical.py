"""Commands of the medical clearance stage."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from domain.kernel.message import Message, Word


class IssueFitToTravel(Message):
    result: Literal["FIT", "FIT_WITH_CONDITIONS", "UNFIT_TEMPORARY", "UNFIT"]
    issued_at: AwareDatetime | None = None
    conditions: tuple[Word, ...] = ()
    ssr_codes: tuple[Word, ...] = ()
