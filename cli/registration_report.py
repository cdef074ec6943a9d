"""Saves the result of an import as a workbook: the rows as they were written, with the errors beside the cells."""

from __future__ import annotations

import io
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli.registration_import import ImportResult
from gateway.tabular.headings import letter
from gateway.tabular.model import RowError, TableRow

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

FIRST: Final = ("Row", "Outcome", "Case number", "Remarks")

RED: Final = "FFF4CCCC"

UNPRINTABLE: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF), "\ufffd")
"""Characters that a workbook cannot contain."""

LONGEST_CELL: Final = 32_767  # characters that a cell of a workbook may have


def save_report(path: Path, result: ImportResult) -> None:
    """Writes the report. It contains personal data, so only its owner may read it."""
    from openpyxl import Workbook  # noqa: PLC0415 - takes half a second

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Import"
    _fill(sheet, result)
    out = io.BytesIO()
    book.save(out)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(out.getvalue())


def _fill(sheet: Worksheet, result: ImportResult) -> None:
    listing = result.checked.listing
    reports = _by_row(result)
    headings = [heading or f"column {letter(place)}" for place, heading in enumerate(listing.heading_row)]
    reported = {error.column for errors in reports.values() for error in errors}
    beside = {place for place, heading in enumerate(headings) if heading in reported}
    first_of = {heading: headings.index(heading) for heading in headings}
    beside = {place for place in beside if first_of[headings[place]] == place}
    _append(sheet, [*FIRST, *_row(headings, {place: f"{headings[place]}: error" for place in beside}, beside)], set())
    outcomes, numbers = result.outcomes(), {case["row"]: case["case_number"] for case in result.cases}
    for line in listing.lines:
        errors = reports.get(line.row, [])
        texts = {place: _texts(errors, headings[place]) for place in beside}
        rest = " | ".join(_sentence(error) for error in errors if error.column not in first_of)
        cells = _row(_padded(line, len(headings)), texts, beside)
        marked = {len(FIRST) + place for place in _marked(texts, beside)}
        _append(sheet, [str(line.row), outcomes[line.row], numbers.get(line.row) or "", rest, *cells], marked)
    sheet.freeze_panes = "A2"


def _by_row(result: ImportResult) -> Mapping[int, Sequence[RowError]]:
    reports = defaultdict[int, list[RowError]](list)
    for error in (*result.bad, *result.suspected):
        reports[error.row].append(error)
    return reports


def _texts(errors: Sequence[RowError], heading: str) -> str:
    return " | ".join(_sentence(error) for error in errors if error.column == heading)


def _sentence(error: RowError) -> str:
    return f"{error.problem}: {error.todo}"


def _padded(line: TableRow, width: int) -> list[str]:
    return [*line.written[:width], *[""] * (width - len(line.written))]


def _row(cells: Sequence[str], texts: Mapping[int, str], beside: set[int]) -> Iterator[str]:
    """Yields the cells, each followed by its errors when its column has any."""
    for place, cell in enumerate(cells):
        yield cell
        if place in beside:
            yield texts[place]


def _marked(texts: Mapping[int, str], beside: set[int]) -> Iterator[int]:
    """Yields the positions of the cells with errors, in a row with errors beside the cells."""
    for shift, place in enumerate(sorted(beside)):
        if texts[place]:
            yield place + shift


def _append(sheet: Worksheet, cells: Sequence[str], marked: set[int]) -> None:
    """Appends a row of texts. No text is read as a formula."""
    from openpyxl.styles import PatternFill  # noqa: PLC0415

    number = sheet.max_row + 1 if sheet.cell(1, 1).value is not None else 1
    for place, text in enumerate(cells):
        cell: Any = sheet.cell(number, place + 1)
        cell.value = text.encode("utf-8", "replace").decode().translate(UNPRINTABLE)[:LONGEST_CELL]
        cell.data_type = "s"
        if place in marked:
            cell.fill = PatternFill("solid", start_color=RED)
