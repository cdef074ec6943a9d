"""Reads lists from CSV, XLSX and JSON files. Columns are identified by their headings, and sizes are limited.

Nothing in a file is executed: formulas are not computed, links are not followed and external entities are not resolved.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from gateway.tabular.normalization import known, tidy

LIMIT: Final = 20_000_000  # bytes

PARTS: Final = 500  # files inside a workbook

SEARCHED: Final = 65_536  # bytes of each of them that are searched for declarations before it is parsed

MOST_COLUMNS: Final = 200  # columns that are read

MOST_ROWS: Final = 1_048_576  # the most rows that a spreadsheet can have

TITLE_ROWS: Final = 15  # the headings must be in one of the first rows

HEADINGS_NEEDED: Final = 2  # known headings that identify the heading row

ARABIC_WORD: Final = re.compile("[\u0621-\u064a]{3,}")

warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")  # it warns of parts that are not read here


class UnusableFileError(ValueError):
    """The file cannot be used as a list. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ListFormat:
    """The expected format of a list.

    ``columns`` maps every accepted heading to its column, ``example`` is a heading row for messages, and ``person`` is
    what one row describes.
    """

    columns: Mapping[str, str]
    example: str
    person: str = "person"
    rows: int = 100_000
    """The most rows that one list may have."""
    unpacked: int = 60_000_000
    """The most bytes that a workbook may have when unpacked."""
    computed: bool = True
    """Whether a formula is read as its last displayed value; otherwise it is read as text."""
    times: bool = False
    """Whether the time of a date with a time is kept."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row below the headings. ``row`` is its number in the spreadsheet, or its position in a JSON list (from 1)."""

    row: int
    cells: Mapping[str, str]
    spare: tuple[str, ...] = ()
    """Cells beyond the last heading: a sign that values are in the wrong columns."""


@dataclass(frozen=True, slots=True)
class RowError:
    """One error in one row: the value, the ``problem``, and what the author of the list should do (``todo``)."""

    row: int
    column: str
    value: str
    problem: str
    todo: str


@dataclass(frozen=True, slots=True)
class TableFile:
    """A list as it was read. ``headings`` maps each known column to its heading in the file."""

    lines: tuple[TableRow, ...]
    headings: Mapping[str, str]
    notes: tuple[str, ...] = field(default=())


def read_list(path: Path, form: ListFormat) -> TableFile:
    """Reads a list from a file. Raises ``UnusableFileError``."""
    if not path.is_file():
        raise UnusableFileError(f"there is no file {path.name}: check the name and the folder")
    if path.stat().st_size > LIMIT:
        raise UnusableFileError(
            f"{path.name} is larger than {LIMIT // 1_000_000} MB: divide the list and submit the parts separately"
        )
    return read_bytes(path.name, path.read_bytes(), form)


def read_bytes(name: str, raw: bytes, form: ListFormat) -> TableFile:
    """Reads a list from bytes. The suffix of the name decides the format. Raises ``UnusableFileError``."""
    reader = READERS.get(Path(name).suffix.lower())
    if reader is None:
        raise UnusableFileError(f"the format of {name} is not supported: give a .csv, .xlsx or .json file")
    return reader(name, raw, form)


# CSV


def _csv(name: str, raw: bytes, form: ListFormat) -> TableFile:
    text, notes = decoded(raw)
    if "\0" in text:
        raise UnusableFileError(f"{name} is not a text file: save it as CSV (UTF-8) and submit that file")
    found = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        rows = list(_limited(found, form))
    except csv.Error:
        raise UnusableFileError(
            f"{name} has a cell that does not end: find the quotation mark without a partner and correct it"
        ) from None
    return _listing(rows, name, form, notes)


def decoded(raw: bytes) -> tuple[str, tuple[str, ...]]:
    """Returns the text, and a note when the encoding had to be inferred."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace"), ()
    try:
        return raw.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        arabic = raw.decode("cp1256")
    if ARABIC_WORD.search(arabic):
        return arabic, (_encoding_note("Windows-1256 (Arabic)"),)
    return raw.decode("cp1252", errors="replace"), (_encoding_note("Windows-1252 (Western)"),)


def _encoding_note(encoding: str) -> str:
    return (
        f"The file is not UTF-8; it was read as {encoding}. Check that the names are correct, or save it as CSV UTF-8."
    )


def _delimiter(text: str) -> str:
    top = "\n".join(text.splitlines()[:TITLE_ROWS])
    return max((",", ";", "\t"), key=top.count)


# Spreadsheets


def _xlsx(name: str, raw: bytes, form: ListFormat) -> TableFile:
    from openpyxl import load_workbook  # noqa: PLC0415 - takes half a second, and only spreadsheets need it
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    _require_workbook(name, raw, form)
    try:
        book = load_workbook(io.BytesIO(raw), read_only=True, data_only=form.computed, keep_links=False)
        shown = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"] or book.worksheets
        found = shown[0].iter_rows(values_only=True, max_row=MOST_ROWS, max_col=MOST_COLUMNS)
        rows = list(_limited((_as_written(row, form) for row in found), form))
    except (InvalidFileException, zipfile.BadZipFile, zlib.error, ParseError, *UNREADABLE):
        raise UnusableFileError(
            f"{name} is not an .xlsx workbook: save it as .xlsx or CSV and submit that file"
        ) from None
    notes = () if len(shown) == 1 else (f"Only the first sheet ({shown[0].title}) was read.",)
    book.close()
    return _listing(rows, name, form, notes)


UNREADABLE: Final = (
    *(LookupError, ValueError, TypeError, AttributeError, ArithmeticError, EOFError, OSError, RuntimeError),
)
"""What the libraries raise for a workbook that is damaged or protected by a password."""


def _as_written(row: Sequence[object], form: ListFormat) -> Sequence[str]:
    """Returns the cells of a row as text. Blank rows are skipped early: there may be a million below the list."""
    return () if row.count(None) == len(row) else [_as_text(cell, times=form.times) for cell in row]


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


def _as_text(value: object, *, times: bool = False) -> str:
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


# JSON


def _json(name: str, raw: bytes, form: ListFormat) -> TableFile:
    try:
        found = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise UnusableFileError(f"{name} is not JSON: give a list of objects, one for each {form.person}") from None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise UnusableFileError(f'{name} is not a list of objects: write [{{"{form.example.split(",")[0]}": …}}, …]')
    _require_row_limit(len(found), name, form)
    names = list(dict.fromkeys(str(name) for each in found for name in each))
    headings, notes = _headings(names, form)
    lines = [TableRow(row, _cells_of(each, headings)) for row, each in enumerate(found, 1)]
    return TableFile(tuple(lines), headings, notes)


def _cells_of(item: Mapping[str, Any], headings: Mapping[str, str]) -> dict[str, str]:
    return {column: _json_as_text(item.get(name)) for column, name in headings.items()}


def _json_as_text(value: object) -> str:
    return ", ".join(map(_as_text, value)) if isinstance(value, list) else _as_text(value)


# Headings


def _listing(rows: Sequence[Sequence[str]], name: str, form: ListFormat, notes: tuple[str, ...] = ()) -> TableFile:
    top = next((at for at, row in enumerate(rows[:TITLE_ROWS]) if _known_headings(row, form) >= HEADINGS_NEEDED), None)
    if top is None:
        raise UnusableFileError(
            f"{name} has no row of column headings: write them in the first row, for example {form.example}"
        )
    _require_row_limit(sum(1 for row in rows[top + 1 :] if row), name, form)
    headings, heading_notes = _headings(rows[top], form)
    return TableFile(tuple(_lines(rows, top, headings)), headings, notes + heading_notes)


def _limited(found: Iterable[Sequence[str]], form: ListFormat) -> Iterator[Sequence[str]]:
    """Yields the rows, blank ones as ``()``, and stops once there are more than the list may have."""
    filled = 0
    for row in found:
        has_text = any(tidy(cell) for cell in row)
        filled += has_text
        yield row if has_text else ()
        if filled > form.rows + TITLE_ROWS:
            return


def _require_row_limit(count: int, name: str, form: ListFormat) -> None:
    if count > form.rows:
        raise UnusableFileError(
            f"{name} has more than {form.rows} rows: divide the list and submit the parts separately"
        )


def _known_headings(row: Sequence[str], form: ListFormat) -> int:
    return sum(1 for cell in row if known(form.columns, cell))


def _headings(row: Sequence[str], form: ListFormat) -> tuple[dict[str, str], tuple[str, ...]]:
    """Returns the file's heading for each known column, and a note that lists the headings that are not known."""
    found: dict[str, str] = {}
    unused = []
    for heading in filter(None, map(tidy, row)):
        column = known(form.columns, heading)
        if column is None or column in found:
            unused.append(heading)
        else:
            found[column] = heading
    return found, (f"Columns that are not imported: {', '.join(unused)}.",) if unused else ()


def _lines(rows: Sequence[Sequence[str]], top: int, headings: Mapping[str, str]) -> Iterator[TableRow]:
    heading_row = [tidy(heading) for heading in rows[top]]
    places = {column: heading_row.index(heading) for column, heading in headings.items()}
    for number, row in enumerate(rows[top + 1 :], top + 2):
        if row:
            cells = {column: row[place] if place < len(row) else "" for column, place in places.items()}
            yield TableRow(number, cells, tuple(filter(None, map(tidy, row[len(heading_row) :]))))


READERS: Final[Mapping[str, Callable[[str, bytes, ListFormat], TableFile]]] = {
    ".csv": _csv,
    ".txt": _csv,
    ".xlsx": _xlsx,
    ".json": _json,
}
