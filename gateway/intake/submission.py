"""What every channel shares: how a submitted message is stored, and what its sender gets back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from gateway.intake.validation import FieldError

KEY: Final = re.compile(r"[!-~]{1,255}")  # an idempotency key

YEARS: Final = range(1900, 2200)  # of times that are stored


class DeclinedError(Exception):
    """The message was not accepted. ``problem`` is a problem slug; ``message_id`` names the stored refusal, if any."""

    def __init__(
        self,
        problem: str,
        detail: str,
        *,
        rule: str | None = None,
        flaws: tuple[FieldError, ...] = (),
        message_id: UUID | None = None,
        repeated: bool = False,
    ) -> None:
        super().__init__(f"{problem}: {detail}")
        self.problem, self.detail, self.rule, self.flaws = problem, detail, rule, flaws
        self.message_id, self.repeated = message_id, repeated


@dataclass(frozen=True, slots=True)
class SubmissionResult:
    """What the sender of a message gets back: its receipt, and its result so far."""

    message_id: UUID
    status: str
    receipt: str
    received_at: datetime
    number: str | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    version: int | None = None
    settled: bool = False
    repeated: bool = False
    ledger_number: int | None = None
    """Of a partner's message: its number in the partner's ledger, short enough for the telephone."""


def new_key() -> str:
    """Returns an idempotency key for a message that will not be sent again."""
    return uuid4().hex


def kept(at: datetime | None) -> datetime | None:
    """Returns the time if it has a zone and a year that can be stored, otherwise nothing."""
    return at if at is not None and at.tzinfo and at.year in YEARS else None
