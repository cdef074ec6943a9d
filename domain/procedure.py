"""All seven stages on one page: what follows what, and what runs side by side.

Rows are walked from the top; a case works on its first unfinished row. Stages of one row run side by side.
A case keeps the edition it was opened under; published editions are frozen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.kernel.vocabulary import Stage

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


def current_row(edition: str, done: tuple[Stage, ...]) -> Row:
    """The first unfinished row; empty when all are done."""
    return next((row for row in EDITIONS[edition].rows if not set(row) <= set(done)), ())
