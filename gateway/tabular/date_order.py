"""Finds the order of day and month in a column of dates, from the column as a whole. It is never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.tabular.cells import DAY, ISO_DAY, DateOrder, western
from gateway.tabular.normalization import tidy

STATED: Final = {
    DateOrder.DAY_FIRST: re.compile(r"\b(?:dd?|jj?)\s?[/.\- ]\s?mm?\s?[/.\- ]\s?(?:y|a)", re.IGNORECASE),
    DateOrder.MONTH_FIRST: re.compile(r"\bmm?\s?[/.\- ]\s?(?:dd?|jj?)\s?[/.\- ]\s?(?:y|a)", re.IGNORECASE),
}
"""How a heading states the order, for example "(dd/mm/yyyy)"."""

Place = tuple[int, str]
"""A row number, and the text of the cell."""


@dataclass(frozen=True, slots=True)
class ColumnDates:
    """What a column tells about its dates."""

    heading: str
    day_first: Place | None = None
    """The first date that has a day above 12 before the month."""
    month_first: Place | None = None
    """The first date that has a day above 12 after the month."""
    ambiguous: Place | None = None
    """The first date that is another day in the other order."""
    converted: Place | None = None
    """A date with the year first that a spreadsheet may have read in the wrong order."""

    @property
    def stated(self) -> DateOrder | None:
        """The order that the heading states."""
        return next((order for order, pattern in STATED.items() if pattern.search(self.heading)), None)

    @property
    def proofs(self) -> dict[DateOrder, str]:
        """The orders that the column proves, each with its proof. More than one is a contradiction."""
        found = {DateOrder.DAY_FIRST: self.day_first, DateOrder.MONTH_FIRST: self.month_first}
        proofs = {order: f"row {place[0]}: {place[1]}" for order, place in found.items() if place}
        if self.stated:
            proofs.setdefault(self.stated, f"heading {self.heading!r}")
        return proofs

    def order(self, given: DateOrder | None) -> DateOrder | None:
        """Returns the order: as given by the user, or as proved. ``None`` when it is needed and remains unknown."""
        proofs = list(self.proofs)
        if given or len(proofs) == 1:
            return given or proofs[0]
        return None if proofs or self.ambiguous else DateOrder.DAY_FIRST

    def problem(self, given: DateOrder | None) -> str | None:
        """Returns why the dates of the column cannot be read, and what to do, or ``None``."""
        column, proofs = repr(self.heading), self.proofs
        if given and proofs and given not in proofs:
            return f"column {column} is {_shown(proofs)}: correct the row, or --date-order"
        if self.order(given) is None:
            why = f"has dates in both orders: {_shown(proofs)}" if proofs else self._unproved()
            return f"column {column} {why}. State the order with --date-order day-first or --date-order month-first"
        if self.converted and not given:
            return (
                f"column {column} has dates that a spreadsheet may have read with day and month exchanged "
                f"(row {self.converted[0]}: {self.converted[1]}), because only its texts have a day above 12. Check "
                "them against the original list; then state the order of the texts with --date-order"
            )
        return None

    def _unproved(self) -> str:
        row, text = self.ambiguous or (0, "")
        return f"does not show whether the day or the month comes first (for example row {row}: {text})"


def _shown(proofs: dict[DateOrder, str]) -> str:
    return ", ".join(f"{order.value.replace('-', ' ')} ({proof})" for order, proof in proofs.items())


def column_dates(heading: str, cells: Iterable[Place]) -> ColumnDates:
    """Returns what the cells of a column (row number and text) tell about its dates."""
    written = [(row, tidy(text), western(tidy(text))) for row, text in cells]
    texts = [(row, shown, int(found[1]), int(found[2])) for row, shown, text in written if (found := DAY.match(text))]
    whole = [(row, shown, int(found[3])) for row, shown, text in written if (found := ISO_DAY.match(text))]
    ambiguous = _first((row, shown) for row, shown, one, two in texts if max(one, two) <= 12 and one != two)
    suspect = len(texts) > 1 and len(whole) > 1 and all(max(one, two) > 12 for _, _, one, two in texts)
    return ColumnDates(
        heading,
        day_first=_first((row, shown) for row, shown, one, two in texts if one > 12 >= two),
        month_first=_first((row, shown) for row, shown, one, two in texts if two > 12 >= one),
        ambiguous=ambiguous,
        converted=whole[0][:2] if suspect and all(number <= 12 for _, _, number in whole) else None,
    )


def _first(places: Iterable[Place]) -> Place | None:
    return next(iter(places), None)
