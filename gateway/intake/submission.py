"""Messages as they are handed in, by whatever door: how one is kept, and what its sender is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from gateway.intake.validation import FieldError

KEY: Final = re.compile(r"[!-~]{1,255}")

YEARS: Final = range(1900, 2200)


class DeclinedError(Exception):
    """Not taken in as a message. ``problem`` is a stable word; ``message_id`` names the kept refusal, if any."""

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
    """What the sender of a message may be told: its receipt, and what has become of it so far."""

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
    """Of a partner's message: its place in the partner's ledger, short enough to be said on the telephone."""


def new_key() -> str:
    """An idempotency key for a message that nobody will send again."""
    return uuid4().hex


def kept(at: datetime | None) -> datetime | None:
    """A time as far as it can be kept."""
    return at if at is not None and at.tzinfo and at.year in YEARS else None
