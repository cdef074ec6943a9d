"""All seven stages on one page: what follows what, and what runs side by side.

Rows are walked from the top; a case works on its first unfinished row. Stages of one row run side by side.
A case keeps the edition it was opened under; published editions are frozen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from domain.words import Stage

Row = tuple[Stage, ...]


@dataclass(frozen=True)
class Procedure:
    """``rows`` in order; ``early`` stages may open before their row is reached, if their own rule lets them."""

    rows: tuple[Row, ...]
    early: tuple[Stage, ...] = ()


EDITIONS: Final[Mapping[str, Procedure]] = {
    "2026-1": Procedure(
        rows=(
            # before departure
            (Stage.SCREENING,),
            (Stage.PROTECTION, Stage.MEDICAL, Stage.DOCUMENTS),  # side by side; they meet at the travel gate
            # travel
            (Stage.DEPARTURE,),
            # after arrival
            (Stage.RECEPTION,),
            (Stage.REINTEGRATION,),
        ),
        early=(
            Stage.DEPARTURE,  # a provisional seat, once nationality is confirmed
            Stage.RECEPTION,  # preparation, from fourteen days before the flight
        ),
    ),
}
NEWEST: Final = "2026-1"


class Order(BaseModel):
    """What the workflow asks of a recording: let the log catch up, and open these stages."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stream_id: UUID
    open: tuple[Stage, ...] = ()


class Standing(BaseModel):
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


def row_of(edition: str, done: tuple[Stage, ...]) -> Row:
    """The first unfinished row; empty when all are done."""
    return next((row for row in EDITIONS[edition].rows if not set(row) <= set(done)), ())


def to_open(case: Standing) -> tuple[Stage, ...]:
    """The stages to order open now: those of the first unfinished row and the early ones, as far as they may."""
    wanted = (*row_of(case.edition, case.done), *EDITIONS[case.edition].early)
    return tuple(stage for stage in dict.fromkeys(wanted) if stage in case.may_open)
