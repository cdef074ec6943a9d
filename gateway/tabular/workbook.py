"""Reads lists from XLSX workbooks, as their cells were last displayed."""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import IO, TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import Element, ParseError, iterparse

from gateway.tabular.headings import heading_row, limited, no_headings, table
from gateway.tabular.model import FileSource, ListFormat, TableFile, UnusableFileError

if TYPE_CHECKING:
    from openpyxl import Workbook

PARTS: Final = 500  # files inside a workbook

SEARCHED: Final = 65_536  # bytes of each of them that are searched for declarations before it is parsed

MOST_COLUMNS: Final = 200  # columns that are read

MOST_ROWS: Final = 1_048_576  # the most rows that a spreadsheet can have

NOT_COMPUTED: Final = "#NOT COMPUTED!"
"""The text of a formula whose value is not stored in the workbook."""

UNREADABLE: Final = (
    *(LookupError, ValueError, TypeError, AttributeError, ArithmeticError, EOFError, OSError, RuntimeError),
)
"""What the libraries raise for a workbook that is damaged or protected by a password."""

warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")  # it warns of parts that are not read here

Row = Sequence[str]


def read_workbook(name: str, raw: bytes, form: ListFormat) -> TableFile:
    """Reads the list in a workbook, from its only visible sheet with headings. Raises ``UnusableFileError``."""
    from openpyxl import load_workbook  # noqa: PLC0415 - takes half a second, and only spreadsheets need it
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    _require_workbook(name, raw, form)
    try:
        book = load_workbook(io.BytesIO(raw), read_only=True, data_only=form.computed, keep_links=False)
        sheets = _sheets(book, io.BytesIO(raw), form)
        book.close()
    except (InvalidFileException, zipfile.BadZipFile, zlib.error, ParseError, *UNREADABLE):
        raise UnusableFileError(
            f"{name} is not an .xlsx workbook: save it as .xlsx or CSV and submit that file"
        ) from None
    chosen = _with_list(name, sheets, form)
    others = [sheet.title for sheet in sheets if sheet is not chosen]
    notes = (f"Only the sheet {chosen.title!r} was read; not read: {', '.join(others)}.",) if others else ()
    columns = frozenset(chosen.marks.hidden_columns)
    source = FileSource("XLSX", sheet=chosen.title, hidden_columns=columns, notes=notes)
    return _with_hidden_rows(table(chosen.rows, name, form, source), chosen.marks.hidden_rows)


def _with_hidden_rows(found: TableFile, hidden: set[int]) -> TableFile:
    rows = frozenset(line.row for line in found.lines if line.row in hidden)
    return replace(found, source=replace(found.source, hidden_rows=rows))


# Sheets


@dataclass
class SheetMarks:
    """What a sheet says beside its values. Rows are numbered from 1, columns from 0."""

    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    not_computed: dict[int, list[int]] = field(default_factory=dict)
    """The columns of formulas whose value is not stored, by row."""


@dataclass(frozen=True, slots=True)
class _Sheet:
    title: str
    rows: Sequence[Row]
    marks: SheetMarks


def _sheets(book: Workbook, raw: IO[bytes], form: ListFormat) -> list[_Sheet]:
    """Returns the visible sheets, or all of them when none is visible."""
    shown: list[Any] = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"] or book.worksheets
    archive = zipfile.ZipFile(raw)
    return [_sheet(sheet, archive, form) for sheet in shown]


def _sheet(sheet: Any, archive: zipfile.ZipFile, form: ListFormat) -> _Sheet:
    with archive.open(sheet._worksheet_path) as source:  # noqa: SLF001 - openpyxl does not tell which rows are hidden
        marks = sheet_marks(source)
    found = sheet.iter_rows(values_only=True, max_row=MOST_ROWS, max_col=MOST_COLUMNS)
    written = (_as_written(row, marks.not_computed.get(number, ()), form) for number, row in enumerate(found, 1))
    return _Sheet(sheet.title, list(limited(written, form)), marks)


def _as_written(row: Sequence[object], not_computed: Sequence[int], form: ListFormat) -> Row:
    """Returns the cells of a row as text. Blank rows are skipped early: there may be a million below the list."""
    if row.count(None) == len(row) and not not_computed:
        return ()
    cells = [as_text(cell, times=form.times) for cell in row]
    for place in not_computed if form.computed else ():
        if place < len(cells) and not cells[place]:
            cells[place] = NOT_COMPUTED
    return cells


def _with_list(name: str, sheets: Sequence[_Sheet], form: ListFormat) -> _Sheet:
    """Returns the sheet that has headings: a cover sheet is passed over, and a second list is not dropped silently."""
    lists = [sheet for sheet in sheets if heading_row(sheet.rows, form)]
    if len(lists) == 1:
        return lists[0]
    if lists:
        titles = ", ".join(repr(sheet.title) for sheet in lists)
        raise UnusableFileError(f"{name} has a list on more than one sheet ({titles}): submit each in its own file")
    raise no_headings(name, next((sheet.rows for sheet in sheets if any(sheet.rows)), ()), form)


def sheet_marks(source: IO[bytes]) -> SheetMarks:
    """Returns the hidden rows and columns of a sheet, and its formulas without a value, from the sheet's XML."""
    marks, number = SheetMarks(), 0
    for _, element in iterparse(source):  # noqa: S314 - the archive was searched for declarations
        tag = element.tag.rpartition("}")[2]
        if tag == "col" and _is_hidden(element):
            last = min(int(element.get("max", "0")), MOST_COLUMNS)
            marks.hidden_columns.update(range(int(element.get("min", "1")) - 1, last))
        elif tag == "row":
            number = int(element.get("r", number + 1))
            _mark_row(marks, number, element)
            element.clear()
    return marks


def _mark_row(marks: SheetMarks, number: int, row: Element) -> None:
    if _is_hidden(row):
        marks.hidden_rows.add(number)
    places = [_place(cell, place) for place, cell in enumerate(row) if _is_not_computed(cell)]
    if places:
        marks.not_computed[number] = places


def _is_not_computed(cell: Element) -> bool:
    parts = {part.tag.rpartition("}")[2]: part.text for part in cell}
    return "f" in parts and not parts.get("v") and cell.get("t") != "str"  # a formula may result in an empty text


def _place(cell: Element, place: int) -> int:
    from openpyxl.utils.cell import coordinate_to_tuple  # noqa: PLC0415

    written = cell.get("r")
    return coordinate_to_tuple(written)[1] - 1 if written else place


def _is_hidden(element: Element) -> bool:
    return element.get("hidden") in ("1", "true") or element.get("zeroHeight") in ("1", "true")


# Archive


def _require_workbook(name: str, raw: bytes, form: ListFormat) -> None:
    """Checks the archive's directory before anything is unpacked: a small file may unpack into a very large one."""
    try:
        too_large, has_declarations = _inspect(zipfile.ZipFile(io.BytesIO(raw)), form)
    except (zipfile.BadZipFile, zlib.error, *UNREADABLE):
        raise UnusableFileError(
            f"{name} is not an .xlsx workbook: save it as .xlsx or CSV and submit that file"
        ) from None
    if too_large:
        raise UnusableFileError(
            f"{name} contains far more data than a list: copy its rows into a new workbook and submit that file"
        )
    if has_declarations:
        raise UnusableFileError(
            f"{name} contains XML declarations, which a spreadsheet does not need: save it again as .xlsx"
        )


def _inspect(book: zipfile.ZipFile, form: ListFormat) -> tuple[bool, bool]:
    """Returns whether a workbook is too large, and whether a part of it begins with XML declarations."""
    parts = book.infolist()
    too_large = len(parts) > PARTS or sum(part.file_size for part in parts) > form.unpacked
    return too_large, not too_large and any(_has_declarations(book, part) for part in parts)


def _has_declarations(book: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    """Returns whether a part declares entities, which could expand without limit or refer to external files."""
    with book.open(part) as opened:
        begin = opened.read(SEARCHED).replace(b"\0", b"")
    return b"<!DOCTYPE" in begin or b"<!ENTITY" in begin


def as_text(value: object, *, times: bool = False) -> str:
    """Returns a cell's value as a person would type it."""
    if value is None:
        return ""
    if times and isinstance(value, datetime) and (value.hour or value.minute):
        return value.isoformat(" ", "minutes")
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
