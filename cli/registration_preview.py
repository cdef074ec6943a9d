"""Shows how a registration list is understood: its file, and the meaning of each column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cli.registration_list import Interpretation
from gateway.tabular.headings import letter
from gateway.tabular.model import TableFile
from gateway.tabular.normalization import tidy


@dataclass(frozen=True, slots=True)
class ColumnPreview:
    """One column of the file. ``field`` is ``None`` when the column is not imported."""

    column: str
    heading: str
    field: str | None
    filled: int
    hidden: bool = False
    date_order: str | None = None
    proof: str | None = None

    @property
    def sentence(self) -> str:
        """The column in one line."""
        parts = [self.field or "NOT IMPORTED", f"{self.filled} filled"]
        if self.date_order:
            parts.append(f"{self.date_order.replace('-', ' ')} ({self.proof})")
        if self.hidden:
            parts.append("hidden column")
        return f"  {self.column}  {self.heading or '(no heading)'} → {', '.join(parts)}"

    def json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def columns(found: Interpretation) -> list[ColumnPreview]:
    """Returns all columns of the file, in its order."""
    fields = {place: name for name, place in found.listing.places.items()}
    shown = {*fields, *(column.place for column in found.listing.unused)}
    return [_column(found, place, fields.get(place)) for place in sorted(shown)]


def _column(found: Interpretation, place: int, field: str | None) -> ColumnPreview:
    listing = found.listing
    filled = sum(1 for line in listing.lines if place < len(line.written) and tidy(line.written[place]))
    order, proof = _order(found, field)
    hidden = place in listing.source.hidden_columns
    return ColumnPreview(letter(place), listing.heading_row[place], field, filled, hidden, order, proof)


def _order(found: Interpretation, field: str | None) -> tuple[str | None, str | None]:
    dates = found.dates.get(field or "")
    if dates is None or not (dates.proofs or dates.ambiguous):
        return None, None
    given = found.choices.date_order
    order = dates.order(given)
    if order is None:
        return "order not known", "; ".join(dates.proofs.values()) or "no date shows it"
    return order.value, dates.proofs.get(order, "--date-order")


def sentences(found: Interpretation) -> Iterator[str]:
    """Yields the preview as lines of text."""
    listing = found.listing
    source = listing.source
    details = [
        source.kind,
        *filter(None, [source.encoding, source.separator and f"separator: {source.separator}"]),
        *([f"sheet {source.sheet!r}"] if source.sheet else []),
        _rows(listing),
    ]
    yield f"{found.name}: {', '.join(details)}"
    yield from (column.sentence for column in columns(found))


def _rows(listing: TableFile) -> str:
    numbers = [line.row for line in listing.lines]
    count = f"{len(numbers)} {'row' if len(numbers) == 1 else 'rows'}"
    span = f" (rows {numbers[0]} to {numbers[-1]})" if len(numbers) > 1 else ""
    hidden = len(listing.source.hidden_rows)
    return f"{count}{span}, {hidden} of them hidden" if hidden else f"{count}{span}"


def preview_json(found: Interpretation) -> dict[str, Any]:
    """Returns the preview as a JSON object."""
    source = found.listing.source
    return {
        "file": found.name,
        "format": source.kind,
        "encoding": source.encoding,
        "separator": source.separator,
        "sheet": source.sheet,
        "rows": len(found.listing.lines),
        "hidden_rows": sorted(source.hidden_rows),
        "columns": [column.json() for column in columns(found)],
    }
