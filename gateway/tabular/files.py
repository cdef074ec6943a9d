"""Lists as files: CSV, XLSX or JSON, found by their headings, and never larger than a list can be.

Nothing in a file is carried out: no formula is computed, no link followed, no name looked up outside it.
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

BEGINNING: Final = 65_536  # bytes of each of them that are looked at before it is read

WIDTH: Final = 200  # columns that are looked at

TALLEST: Final = 1_048_576  # rows of any spreadsheet

TITLE_ROWS: Final = 15  # how far down the headings may stand

ENOUGH: Final = 2  # known headings that make a row the one with the headings

ARABIC_WORD: Final = re.compile("[\u0621-\u064a]{3,}")

warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")  # what it cannot keep, we do not read


class UnusableFileError(ValueError):
    """The file as a whole cannot be used."""


@dataclass(frozen=True, slots=True)
class ListFormat:
    """What a list should look like. ``columns`` are all spellings of each heading; ``example`` a row of them."""

    columns: Mapping[str, str]
    example: str
    person: str = "person"
    rows: int = 100_000
    """More than these are too many for one list."""
    unpacked: int = 60_000_000
    """Bytes that a workbook may have without its compression."""
    computed: bool = True
    """Whether a formula counts as what it last showed; otherwise it is text like any other."""
    times: bool = False
    """Whether a date with a time keeps it."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row under the headings. ``row`` is its number in a spreadsheet, or in a JSON list counted from one."""

    row: int
    cells: Mapping[str, str]
    spare: tuple[str, ...] = ()
    """Cells beyond the last heading: a sign that something has slipped."""


@dataclass(frozen=True, slots=True)
class RowError:
    """One thing wrong with one row, for whoever keeps the list."""

    row: int
    column: str
    value: str
    problem: str
    todo: str


@dataclass(frozen=True, slots=True)
class TableFile:
    """A list as it was read. ``headings`` gives each known column the words of the file."""

    lines: tuple[TableRow, ...]
    headings: Mapping[str, str]
    notes: tuple[str, ...] = field(default=())


def read_list(path: Path, form: ListFormat) -> TableFile:
    """Read a list. Raises ``UnusableFileError`` with what to do when the file is none."""
    if not path.is_file():
        raise UnusableFileError(f"there is no file {path.name}: check the name and the folder")
    if path.stat().st_size > LIMIT:
        raise UnusableFileError(
            f"{path.name} is larger than {LIMIT // 1_000_000} MB: divide the list and import its parts"
        )
    return read_bytes(path.name, path.read_bytes(), form)


def read_bytes(name: str, raw: bytes, form: ListFormat) -> TableFile:
    """The same for a file that is in hand; the end of its name says what it is."""
    reader = READERS.get(Path(name).suffix.lower())
    if reader is None:
        raise UnusableFileError(f"{name} is not a list: give a .csv, .xlsx or .json file")
    return reader(name, raw, form)


# CSV


def _csv(name: str, raw: bytes, form: ListFormat) -> TableFile:
    text, notes = decoded(raw)
    if "\0" in text:
        raise UnusableFileError(f"{name} is not text: save it as CSV (UTF-8) and import that")
    found = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        rows = list(_enough(found, form))
    except csv.Error:
        raise UnusableFileError(f"{name} has a cell without an end: look for a lone quotation mark") from None
    return _listing(rows, name, form, notes)


def decoded(raw: bytes) -> tuple[str, tuple[str, ...]]:
    """The text, and a remark when its encoding had to be inferred."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace"), ()
    try:
        return raw.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        arabic = raw.decode("cp1256")
    if ARABIC_WORD.search(arabic):
        return arabic, (_remark("Windows-1256 (Arabic)"),)
    return raw.decode("cp1252", errors="replace"), (_remark("Windows-1252 (Western)"),)


def _remark(encoding: str) -> str:
    return f"The file is not UTF-8; it was read as {encoding}. Check that names look right, or save it as CSV UTF-8."


def _delimiter(text: str) -> str:
    top = "\n".join(text.splitlines()[:TITLE_ROWS])
    return max((",", ";", "\t"), key=top.count)


# Spreadsheets


def _xlsx(name: str, raw: bytes, form: ListFormat) -> TableFile:
    from openpyxl import load_workbook  # noqa: PLC0415 - half a second that only spreadsheets cost
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    _insist_on_workbook(name, raw, form)
    try:
        book = load_workbook(io.BytesIO(raw), read_only=True, data_only=form.computed, keep_links=False)
        shown = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"] or book.worksheets
        found = shown[0].iter_rows(values_only=True, max_row=TALLEST, max_col=WIDTH)
        rows = list(_enough((_as_written(row, form) for row in found), form))
    except (InvalidFileException, zipfile.BadZipFile, zlib.error, ParseError, *UNREADABLE):
        raise UnusableFileError(f"{name} is not an .xlsx workbook: open it and save it as one, or as CSV") from None
    notes = () if len(shown) == 1 else (f"Only the first sheet ({shown[0].title}) was read.",)
    book.close()
    return _listing(rows, name, form, notes)


UNREADABLE: Final = (
    *(LookupError, ValueError, TypeError, AttributeError, ArithmeticError, EOFError, OSError, RuntimeError),
)
"""What the libraries raise on a workbook that is damaged, or locked."""


def _as_written(row: Sequence[object], form: ListFormat) -> Sequence[str]:
    """A row, at once when it is blank: below a list there may be a million of those."""
    return () if row.count(None) == len(row) else [_written(cell, times=form.times) for cell in row]


def _insist_on_workbook(name: str, raw: bytes, form: ListFormat) -> None:
    """Look at the table of contents before anything is unpacked: a small file may hold a very large one."""
    try:
        too_much, declares = _looked_at(zipfile.ZipFile(io.BytesIO(raw)), form)
    except (zipfile.BadZipFile, zlib.error, *UNREADABLE):
        raise UnusableFileError(f"{name} is not an .xlsx workbook: open it and save it as one, or as CSV") from None
    if too_much:
        raise UnusableFileError(f"{name} holds far more than a list: copy its rows into a new workbook and import that")
    if declares:
        raise UnusableFileError(f"{name} declares names of its own, which no spreadsheet does: save it anew as .xlsx")


def _looked_at(book: zipfile.ZipFile, form: ListFormat) -> tuple[bool, bool]:
    """Whether a workbook holds too much, and whether something in it begins with declarations."""
    parts = book.infolist()
    too_much = len(parts) > PARTS or sum(part.file_size for part in parts) > form.unpacked
    return too_much, not too_much and any(_declares(book, part) for part in parts)


def _declares(book: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    """Whether a part begins with declarations: they unfold into more, or into what stands outside the file."""
    with book.open(part) as opened:
        begin = opened.read(BEGINNING).replace(b"\0", b"")
    return b"<!DOCTYPE" in begin or b"<!ENTITY" in begin


def _written(value: object, *, times: bool = False) -> str:
    """A cell as somebody would have typed it."""
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
    _insist_on_rows(len(found), name, form)
    names = list(dict.fromkeys(str(name) for each in found for name in each))
    headings, notes = _headings(names, form)
    lines = [TableRow(row, _cells_of(each, headings)) for row, each in enumerate(found, 1)]
    return TableFile(tuple(lines), headings, notes)


def _cells_of(item: Mapping[str, Any], headings: Mapping[str, str]) -> dict[str, str]:
    return {column: _json_written(item.get(name)) for column, name in headings.items()}


def _json_written(value: object) -> str:
    return ", ".join(map(_written, value)) if isinstance(value, list) else _written(value)


# Headings


def _listing(rows: Sequence[Sequence[str]], name: str, form: ListFormat, notes: tuple[str, ...] = ()) -> TableFile:
    top = next((at for at, row in enumerate(rows[:TITLE_ROWS]) if _known_headings(row, form) >= ENOUGH), None)
    if top is None:
        raise UnusableFileError(f"{name} has no row of column headings: the first row should read like {form.example}")
    _insist_on_rows(sum(1 for row in rows[top + 1 :] if row), name, form)
    headings, remarks = _headings(rows[top], form)
    return TableFile(tuple(_lines(rows, top, headings)), headings, notes + remarks)


def _enough(found: Iterable[Sequence[str]], form: ListFormat) -> Iterator[Sequence[str]]:
    """The rows, the blank ones empty, until there are more than such a list can have."""
    filled = 0
    for row in found:
        written = any(tidy(cell) for cell in row)
        filled += written
        yield row if written else ()
        if filled > form.rows + TITLE_ROWS:
            return


def _insist_on_rows(count: int, name: str, form: ListFormat) -> None:
    if count > form.rows:
        raise UnusableFileError(f"{name} has more than {form.rows} rows: divide the list and import its parts")


def _known_headings(row: Sequence[str], form: ListFormat) -> int:
    return sum(1 for cell in row if known(form.columns, cell))


def _headings(row: Sequence[str], form: ListFormat) -> tuple[dict[str, str], tuple[str, ...]]:
    """The words of the file for each column that is known, and a remark about those that are not."""
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
    written = [tidy(heading) for heading in rows[top]]
    places = {column: written.index(heading) for column, heading in headings.items()}
    for number, row in enumerate(rows[top + 1 :], top + 2):
        if row:
            cells = {column: row[place] if place < len(row) else "" for column, place in places.items()}
            yield TableRow(number, cells, tuple(filter(None, map(tidy, row[len(written) :]))))


READERS: Final[Mapping[str, Callable[[str, bytes, ListFormat], TableFile]]] = {
    ".csv": _csv,
    ".txt": _csv,
    ".xlsx": _xlsx,
    ".json": _json,
}
