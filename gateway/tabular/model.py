"""A list as it was read from a file: its format, rows, columns, and the errors of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
    written: tuple[str, ...] = ()
    """All cells of the row, in the order of the file."""


@dataclass(frozen=True, slots=True)
class RowError:
    """One error in one row: the value, the ``problem``, and what the author of the list should do (``todo``)."""

    row: int
    column: str
    value: str
    problem: str
    todo: str


@dataclass(frozen=True, slots=True)
class UnusedColumn:
    """A column that is not read: its heading is unknown, empty, or repeats another column.

    ``place`` is its position from 0, ``letter`` its letter in a spreadsheet, and ``filled`` counts its filled cells.
    """

    place: int
    letter: str
    heading: str
    filled: int
    repeats: str | None = None
    """The column that its heading means, when another heading with that meaning stands before it."""

    @property
    def name(self) -> str:
        """The heading, or the letter of a column without one."""
        return self.heading or f"column {self.letter}"


@dataclass(frozen=True, slots=True)
class FileSource:
    """How a file was read."""

    kind: str
    encoding: str | None = None
    separator: str | None = None
    sheet: str | None = None
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()
    """Positions of hidden columns, from 0."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableFile:
    """A list as it was read. ``headings`` maps each known column to its heading in the file."""

    lines: tuple[TableRow, ...]
    headings: Mapping[str, str]
    source: FileSource
    heading_row: tuple[str, ...] = ()
    """All headings, in the order of the file."""
    places: Mapping[str, int] = field(default_factory=dict)
    """The position of each known column, from 0."""
    unused: tuple[UnusedColumn, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the author of the file, including the names of the columns that are not read."""
        names = ", ".join(column.name for column in self.unused)
        hidden = sorted(self.source.hidden_rows)
        unused = (f"Columns that are not imported: {names}.",) if names else ()
        rows = (f"Hidden rows are read as well ({len(hidden)}): {', '.join(map(str, hidden))}.",) if hidden else ()
        return (*self.source.notes, *rows, *unused)
