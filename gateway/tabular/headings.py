"""Finds the heading row of a list, and the meaning of each heading."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from gateway.tabular.model import FileSource, ListFormat, TableFile, TableRow, UnusableFileError, UnusedColumn
from gateway.tabular.normalization import known, likeness, tidy

TITLE_ROWS: Final = 40  # the headings must be in one of the first rows

HEADINGS_NEEDED: Final = 2  # known headings that identify the heading row

LETTERS_OF_DATES: Final = r"(?:d{1,2}|j{1,2}|m{1,2}|y{2,4}|a{2,4})"

HINT: Final = re.compile(
    rf"[(\[]?\s*(?:{LETTERS_OF_DATES}(?:[/.\- ]{LETTERS_OF_DATES}){{2}}"
    r"|[mhf]\s*/\s*[mhf]|male\s*/\s*female|homme\s*/\s*femme|ذكر\s*/\s*أنثى"
    r"|y(?:es)?\s*/\s*n(?:o)?|o(?:ui)?\s*/\s*n(?:on)?|نعم\s*/\s*لا"
    r"|optional|required|mandatory|if known|if any|facultatif|obligatoire|si connu)\s*[)\]]?\s*\*?\s*$",
    re.IGNORECASE,
)
"""An ending that tells how to complete the column, and does not change its meaning."""

NUMBER: Final = re.compile(r"\s(?:no|nr|n°|num|number|#)$")

BILINGUAL: Final = re.compile(r"\s*[/|\r\n]\s*|\s+[-\u2013]\s+")

Row = Sequence[str]


def column_of(columns: Mapping[str, str], heading: str) -> str | None:
    """Returns the column that a heading means, or ``None``. No heading is interpreted in part, hints aside."""
    return known(columns, heading) or _without_hint(columns, heading) or _bilingual(columns, heading)


def _without_hint(columns: Mapping[str, str], heading: str) -> str | None:
    plain = likeness(HINT.sub("", heading).replace(".", " "))
    return columns.get(plain) or known(columns, NUMBER.sub("", plain)) if plain else None


def _bilingual(columns: Mapping[str, str], heading: str) -> str | None:
    """Returns the column of a heading in two languages. Both parts must mean the same column."""
    parts = [part for part in BILINGUAL.split(heading) if tidy(part)]
    meanings = {known(columns, part) or _without_hint(columns, part) for part in parts}
    return meanings.pop() if len(parts) > 1 and len(meanings) == 1 else None


def letter(place: int) -> str:
    """Returns the letter of a spreadsheet's column, from its position from 0."""
    text, rest = "", place + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        text = chr(ord("A") + digit) + text
    return text


@dataclass(frozen=True, slots=True)
class HeadingRow:
    """The headings of a list. ``last`` is the position of its last row, from 0: headings may take two rows."""

    cells: tuple[str, ...]
    last: int


def heading_row(rows: Sequence[Row], form: ListFormat) -> HeadingRow | None:
    """Returns the row with the most known headings among the first rows, completed by a second heading row."""
    counts = [_known_headings(row, form) for row in rows[:TITLE_ROWS]]
    if not counts or max(counts) < HEADINGS_NEEDED:
        return None
    top = counts.index(max(counts))
    cells, last = list(rows[top]), top
    if top and counts[top - 1] >= HEADINGS_NEEDED:
        cells = _completed(cells, [cell if column_of(form.columns, cell) else "" for cell in rows[top - 1]])
    if top + 1 < len(rows) and _only_headings(rows[top + 1], form):
        cells, last = _completed(rows[top + 1], cells), top + 1
    return HeadingRow(tuple(cells), last)


def _known_headings(row: Row, form: ListFormat) -> int:
    return len({column for cell in row if (column := column_of(form.columns, cell))})


def _only_headings(row: Row, form: ListFormat) -> bool:
    return all(column_of(form.columns, cell) for cell in row if tidy(cell)) and _known_headings(row, form) > 0


def _completed(cells: Row, others: Row) -> list[str]:
    """Returns a heading row, with its empty cells taken from the other heading row."""
    return [cell if tidy(cell) else other for cell, other in zip_longest(cells, others, fillvalue="")]


def table(rows: Sequence[Row], name: str, form: ListFormat, source: FileSource) -> TableFile:
    """Returns the list in these rows, blank ones being ``()``. Raises ``UnusableFileError``."""
    top = heading_row(rows, form)
    if top is None:
        raise no_headings(name, rows, form)
    below = rows[top.last + 1 :]
    require_row_limit(sum(1 for row in below if row), name, form)
    names = tuple(map(tidy, top.cells))
    places = places_of(top.cells, form)
    headings = {column: names[place] for column, place in places.items()}
    lines = tuple(_lines(below, top.last + 2, len(names), places))
    unused = tuple(unused_columns(names, places, lines, form))
    width = max([*places.values(), *(column.place for column in unused)]) + 1
    return TableFile(lines, headings, source, names[:width], places, unused)


def no_headings(name: str, rows: Sequence[Row], form: ListFormat) -> UnusableFileError:
    """Returns the error for a file in which no row of headings was found, with the first row that has text."""
    first = next((row for row in rows if row), ())
    begins = ", ".join(filter(None, map(tidy, first)))[:80]
    seen = f" (its first row is {begins!r})" if begins else ""
    return UnusableFileError(
        f"{name} has no row of column headings among its first {TITLE_ROWS} rows{seen}: "
        f"write the headings in one row above the list, for example {form.example}"
    )


def places_of(headings: Sequence[str], form: ListFormat) -> dict[str, int]:
    """Returns the position of each known column. Of two headings with one meaning, the first is taken."""
    found: dict[str, int] = {}
    for place, heading in enumerate(headings):
        column = column_of(form.columns, heading)
        if column:
            found.setdefault(column, place)
    return found


def unused_columns(
    names: Sequence[str], places: Mapping[str, int], lines: Sequence[TableRow], form: ListFormat
) -> Iterator[UnusedColumn]:
    """Yields the columns that have a heading or a filled cell, and are not read."""
    used = set(places.values())
    for place, heading in enumerate(names):
        if place in used:
            continue
        filled = sum(1 for line in lines if place < len(line.written) and tidy(line.written[place]))
        if heading or filled:
            yield UnusedColumn(place, letter(place), heading, filled, column_of(form.columns, heading))


def _lines(below: Sequence[Row], first: int, width: int, places: Mapping[str, int]) -> Iterator[TableRow]:
    for number, row in enumerate(below, first):
        if row:
            cells = {column: row[place] if place < len(row) else "" for column, place in places.items()}
            yield TableRow(number, cells, tuple(filter(None, map(tidy, row[width:]))), tuple(row))


def limited(found: Iterable[Row], form: ListFormat) -> Iterator[Row]:
    """Yields the rows, blank ones as ``()``, and stops once there are more than the list may have."""
    filled = 0
    for row in found:
        has_text = any(tidy(cell) for cell in row)
        filled += has_text
        yield row if has_text else ()
        if filled > form.rows + TITLE_ROWS:
            return


def require_row_limit(count: int, name: str, form: ListFormat) -> None:
    """Raises ``UnusableFileError`` when a list has more rows than its format allows."""
    if count > form.rows:
        raise UnusableFileError(
            f"{name} has more than {form.rows} rows: divide the list and submit the parts separately"
        )
