"""What a workflow asks of a recording, and what it learns from it."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from domain.kernel.vocabulary import Stage
from domain.procedure import EDITIONS, NEWEST, current_row


class RecordRequest(BaseModel):
    """What the workflow asks of a recording: let the log catch up, and open these stages."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stream_id: UUID
    open: tuple[Stage, ...] = ()


class Progress(BaseModel):
    """Where a case stands after a recording: all that the workflow needs to go on.

    ``wait_s`` is seconds until the earliest deadline, ``None`` if nothing is awaited; ``waiting_on`` is a neutral code.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    edition: str = NEWEST
    done: tuple[Stage, ...] = ()
    may_open: tuple[Stage, ...] = ()
    waiting_on: str = ""
    wait_s: float | None = None
    over: bool = False
    more: bool = False
    version: int = 0


def stages_to_open(case: Progress) -> tuple[Stage, ...]:
    """The stages to order open now: those of the first unfinished row and the early ones, as far as they may."""
    wanted = (*current_row(case.edition, case.done), *EDITIONS[case.edition].early)
    return tuple(stage for stage in dict.fromkeys(wanted) if stage in case.may_open)
