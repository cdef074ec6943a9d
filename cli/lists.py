"""Registration lists as files: CSV, XLSX or JSON, and the columns that field offices give them."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from cli.words import COLUMNS, known, tidy

SAMPLE: Final = Path(__file__).resolve().parent.parent / "samples" / "registrations.csv"
LIMIT: Final = 20_000_000  # bytes
TITLE_ROWS: Final = 15  # how far down the headings may stand
ENOUGH: Final = 2  # known headings that make a row the one with the headings
ARABIC_WORD: Final = re.compile("[\u0621-\u064a]{3,}")


class Unusable(ValueError):
    """The file as a whole cannot be used."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row under the headings. ``row`` is its number in a spreadsheet, or in a JSON list counted from one."""

    row: int
    cells: Mapping[str, str]
    spare: tuple[str, ...] = ()
    """Cells beyond the last heading: a sign that something has slipped."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list as it was read. ``headings`` gives each known column the words of the file."""

    lines: tuple[Line, ...]
    headings: Mapping[str, str]
    notes: tuple[str, ...] = field(default=())


def read_list(path: Path) -> Listing:
    """Read a list. Raises ``Unusable`` with what to do when the file is none."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise Unusable(f"{path.name} is not a list: give a .csv, .xlsx or .json file")
    if not path.is_file():
        raise Unusable(f"there is no file {path.name}: check the name and the folder")
    if path.stat().st_size > LIMIT:
        raise Unusable(f"{path.name} is larger than {LIMIT // 1_000_000} MB: divide the list and import its parts")
    return reader(path)


# CSV


def _csv(path: Path) -> Listing:
    text, notes = decoded(path.read_bytes())
    if "\0" in text:
        raise Unusable(f"{path.name} is not text: save it as CSV (UTF-8) and import that")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)))
    return _listing(rows, path.name, notes)


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


def _xlsx(path: Path) -> Listing:
    from openpyxl import load_workbook  # noqa: PLC0415 - half a second that only spreadsheets cost
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError):
        raise Unusable(f"{path.name} is not an .xlsx workbook: open it and save it as one, or as CSV") from None
    sheet = book.worksheets[0]
    notes = () if len(book.worksheets) == 1 else (f"Only the first sheet ({sheet.title}) was read.",)
    rows = [[_written(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    book.close()
    return _listing(rows, path.name, notes)


def _written(value: object) -> str:
    """A cell as somebody would have typed it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


# JSON


def _json(path: Path) -> Listing:
    try:
        found = json.loads(path.read_text("utf-8-sig"))
    except ValueError:
        raise Unusable(f"{path.name} is not JSON: give a list of objects, one for each person") from None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Unusable(f'{path.name} is not a list of objects: write [{{"family name": …, "consent": "yes"}}, …]')
    names = list(dict.fromkeys(str(name) for each in found for name in each))
    headings, notes = _headings(names)
    lines = [Line(row, _cells_of(each, headings)) for row, each in enumerate(found, 1)]
    return Listing(tuple(lines), headings, notes)


def _cells_of(item: Mapping[str, Any], headings: Mapping[str, str]) -> dict[str, str]:
    return {column: _json_written(item.get(name)) for column, name in headings.items()}


def _json_written(value: object) -> str:
    return ", ".join(map(_written, value)) if isinstance(value, list) else _written(value)


# Headings


def _listing(rows: Sequence[Sequence[str]], name: str, notes: tuple[str, ...] = ()) -> Listing:
    top = next((at for at, row in enumerate(rows[:TITLE_ROWS]) if _known_headings(row) >= ENOUGH), None)
    if top is None:
        raise Unusable(
            f"{name} has no row of column headings: the first row should read like "
            "reference, family name, given names, sex, date of birth, nationality, phone, office, channel, consent"
        )
    headings, remarks = _headings(rows[top])
    return Listing(tuple(_lines(rows, top, headings)), headings, notes + remarks)


def _known_headings(row: Sequence[str]) -> int:
    return sum(1 for cell in row if known(COLUMNS, cell))


def _headings(row: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The words of the file for each column that is known, and a remark about those that are not."""
    found: dict[str, str] = {}
    unused = []
    for heading in filter(None, map(tidy, row)):
        column = known(COLUMNS, heading)
        if column is None or column in found:
            unused.append(heading)
        else:
            found[column] = heading
    return found, (f"Columns that are not imported: {', '.join(unused)}.",) if unused else ()


def _lines(rows: Sequence[Sequence[str]], top: int, headings: Mapping[str, str]) -> Iterator[Line]:
    written = [tidy(heading) for heading in rows[top]]
    places = {column: written.index(heading) for column, heading in headings.items()}
    for number, row in enumerate(rows[top + 1 :], top + 2):
        if any(tidy(cell) for cell in row):
            cells = {column: row[place] if place < len(row) else "" for column, place in places.items()}
            yield Line(number, cells, tuple(filter(None, map(tidy, row[len(written) :]))))


READERS: Final[Mapping[str, Callable[[Path], Listing]]] = {".csv": _csv, ".txt": _csv, ".xlsx": _xlsx, ".json": _json}
