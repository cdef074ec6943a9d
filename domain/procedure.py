"""The order of the seven stages, as data: which stages follow one another and which run in parallel.

``workflows/case.py`` works through the rows and orders stages open. A case keeps the edition it was opened under;
published editions are frozen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.kernel.vocabulary import Stage

Row = tuple[Stage, ...]


@dataclass(frozen=True)
class Procedure:
    """One edition: its rows in order, and the stages that may open before their row is reached.

    The stages of one row run in parallel. An early stage opens only when its own rule allows it.
    """

    rows: tuple[Row, ...]
    early: tuple[Stage, ...] = ()


EDITIONS: Final[Mapping[str, Procedure]] = {
    "2026-1": Procedure(
        rows=(
            # before departure
            (Stage.SCREENING,),
            (Stage.PROTECTION, Stage.MEDICAL, Stage.DOCUMENTS),  # in parallel; the travel gate requires all three
            # travel
            (Stage.DEPARTURE,),
            # after arrival
            (Stage.RECEPTION,),
            (Stage.REINTEGRATION,),
        ),
        early=(
            Stage.DEPARTURE,  # for a provisional seat, once nationality is confirmed
            Stage.RECEPTION,  # for preparation, from 14 days before the flight
        ),
    ),
}

NEWEST: Final = "2026-1"


def current_row(edition: str, done: tuple[Stage, ...]) -> Row:
    """Returns the first row with an unfinished stage; empty when all stages are done."""
    return next((row for row in EDITIONS[edition].rows if not set(row) <= set(done)), ())


def stages_in_turn(edition: str, done: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Returns the stages whose turn it is: those of the current row, then the early ones."""
    return tuple(dict.fromkeys((*current_row(edition, done), *EDITIONS[edition].early)))
