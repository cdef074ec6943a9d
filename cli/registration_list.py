"""Reads and checks registration lists: each row becomes a registration, or a list of its errors.

A list is interpreted as a whole first: the meaning of each column and the order of day and month in its dates. Nothing
is stored here. Errors name the columns as the file does, so that its author finds them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from cli.registration_duplicates import Registration, SharedReference, compared
from cli.registration_vocabulary import CHANNELS, COLUMNS, LIVING
from domain.commands.screening import RegisterCase
from gateway.intake.validation import schema_errors
from gateway.tabular.cells import (
    DateOrder,
    UnclearCellError,
    answer,
    birth,
    day,
    name_parts,
    nationality,
    phone,
    tongues,
    word,
)
from gateway.tabular.date_order import ColumnDates, column_dates
from gateway.tabular.files import read_list
from gateway.tabular.model import ListFormat, RowError, TableFile, TableRow, UnusableFileError
from gateway.tabular.normalization import MISSING, NOT_VALUES, SEXES, folded, is_placeholder, is_program_error, tidy

T = TypeVar("T")

SAMPLE: Final = Path(__file__).resolve().parent.parent / "samples" / "registrations.csv"

LIST: Final = ListFormat(
    columns=COLUMNS,
    example="reference, family name, given names, sex, date of birth, nationality, phone, office, channel, consent",
)

TRIPOLI: Final = timedelta(hours=2)  # ahead of UTC, all year

NO_NAME: Final = "the row has no name"

NEEDED: Final = ("nationality", "consent")

NAMES: Final = ("family name", "given names", "full name", "native name")

DATES: Final = ("date of birth", "registered on")

FREE_TEXTS: Final = (*NAMES, "reference", "office", "form version")
"""Columns in which any text is a value, so that a placeholder must be recognized."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """Values for rows in which the column is empty."""

    office: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user decides about a list: the order of its dates, the columns and suspicions to pass over."""

    date_order: DateOrder | None = None
    ignored: tuple[str, ...] = ()
    """Headings of unknown columns, or their letters, that are not imported."""
    distinct: frozenset[int] = frozenset()
    """Rows that describe other people than the rows and cases that they resemble."""


@dataclass(frozen=True, slots=True)
class Interpretation:
    """A list as it is understood before its rows are read: its columns, the order of its dates, and the problems."""

    name: str
    listing: TableFile
    dates: Mapping[str, ColumnDates]
    choices: Choices

    def order(self, column: str) -> DateOrder:
        """Returns the order of day and month in a column of dates."""
        dates = self.dates.get(column)
        return (dates.order(self.choices.date_order) if dates else None) or DateOrder.DAY_FIRST

    @property
    def problems(self) -> list[str]:
        """What must be decided before anyone is registered, each with what to do."""
        dates = [dates.problem(self.choices.date_order) for dates in self.dates.values()]
        return [*self._missing_columns(), *self._unknown_columns(), *filter(None, dates), *self._not_ignored()]

    def _missing_columns(self) -> list[str]:
        headings = self.listing.headings
        missing = [
            f"it has no column for {column}: add a column headed '{column}'"
            for column in NEEDED
            if column not in headings
        ]
        if not any(column in headings for column in NAMES):
            todo = "add a column headed 'family name', 'full name' or 'native name'"
            missing.insert(0, f"it has no column for names: {todo}")
        return missing

    def _unknown_columns(self) -> list[str]:
        ignored = set(map(folded, self.choices.ignored))
        return [
            f"{column.name!r} has {column.filled} filled cells, and {_why_unused(column.repeats)}. "
            "Correct the heading, or leave the column out with "
            f'--ignore-column "{column.heading or column.letter}"'
            for column in self.listing.unused
            if column.filled and not {folded(column.heading), folded(column.letter)} & ignored
        ]

    def _not_ignored(self) -> list[str]:
        names = {folded(name) for column in self.listing.unused for name in (column.heading, column.letter)}
        return [
            f"--ignore-column {name!r} names no column that could be left out: correct the name"
            for name in self.choices.ignored
            if folded(name) not in names
        ]

    def require_clear(self) -> None:
        """Raises ``UnusableFileError`` with all problems."""
        if self.problems:
            begin = f"{self.name} cannot be imported as it is"
            raise UnusableFileError("\n".join([f"{begin}:", *(f"* {problem}." for problem in self.problems)]))


def _why_unused(repeats: str | None) -> str:
    return f"another column for {repeats} stands before it" if repeats else "the meaning of its heading is not known"


@dataclass(frozen=True, slots=True)
class CheckedList:
    """A checked list. A row is in exactly one of ``good``, ``bad``, ``suspected`` and ``shared``."""

    listing: TableFile
    good: tuple[Registration, ...]
    bad: tuple[RowError, ...]
    suspected: tuple[RowError, ...] = ()
    shared: tuple[SharedReference, ...] = ()

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.listing.lines)

    @property
    def numbers(self) -> list[int]:
        """The numbers of all rows, in the order of the list."""
        return [line.row for line in self.listing.lines]

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the author of the list."""
        return self.listing.notes


def interpret(path: Path, choices: Choices = Choices()) -> Interpretation:
    """Reads a list and finds what its columns mean. Raises ``UnusableFileError`` when the file has no list."""
    listing = read_list(path, LIST)
    dates = {
        column: column_dates(heading, [(line.row, line.cells[column]) for line in listing.lines])
        for column, heading in listing.headings.items()
        if column in DATES
    }
    return Interpretation(path.name, listing, dates, choices)


def check_rows(found: Interpretation, today: date, defaults: Defaults = Defaults()) -> CheckedList:
    """Checks every row. Raises ``UnusableFileError`` when something must be decided about the list first."""
    found.require_clear()
    rows = [RegistrationRow(line, found, today, defaults) for line in found.listing.lines]
    read = [row.registration() for row in rows]
    good, suspected, shared = compared([each for each in read if each], found.listing, found.choices.distinct)
    bad = [each for row in rows for each in row.bad]
    return CheckedList(found.listing, tuple(good), tuple(bad), tuple(suspected), tuple(shared))


def check_list(
    path: Path, today: date, defaults: Defaults = Defaults(), choices: Choices = Choices()
) -> CheckedList:  # fmt: skip
    """Reads a list and checks every row. Raises ``UnusableFileError`` when the file cannot be imported."""
    return check_rows(interpret(path, choices), today, defaults)


@dataclass
class RegistrationRow:
    """One row while it is read. Errors are collected in ``bad``, so that all of them are reported together."""

    line: TableRow
    source: Interpretation
    today: date
    defaults: Defaults
    bad: list[RowError] = field(default_factory=list)

    @property
    def headings(self) -> Mapping[str, str]:
        """The file's heading of each column."""
        return self.source.listing.headings

    def registration(self) -> Registration | None:
        """Returns the registration, or ``None`` when the row has errors."""
        if self.line.spare:
            todo = "if a cell contains the separator, put the cell in quotation marks; otherwise add a heading"
            self.wrong("", ", ".join(self.line.spare), "the row has more cells than the heading row", todo)
        self.check_texts()
        fields = {key: value for key, value in self.fields().items() if value is not None}
        self.require_consent(fields)
        if not self.bad:
            self.validate(fields)
        return None if self.bad else Registration(self.line.row, self.text("reference") or "", fields)

    def fields(self) -> dict[str, Any]:
        nation = self.required("nationality", nationality)
        speaks = self.read("languages", tongues) or []
        registered = self.read("registered on", self.day)
        return {
            "person": self.person(nation, speaks),
            "country_of_return": self.read("country of return", nationality) or nation,
            "channel": self.with_default(
                "channel", lambda text: word(text, CHANNELS, "channel"), self.defaults.channel
            ),
            "office": self.with_default("office", tidy, self.defaults.office),
            "living_situation": self.read("living situation", lambda text: word(text, LIVING, "living situation")),
            "registered_on": at_midnight(registered).isoformat() if registered else None,
            "source": "REGISTRATION_LIST",
            "consent_to_data_processing": self.required("consent", answer),
            "form_version": self.text("form version"),
            "language": speaks[0] if speaks else None,
        }

    def person(self, nation: str | None, speaks: list[str]) -> dict[str, Any]:
        given, family = self.names()
        order = self.source.order("date of birth")
        born = self.read("date of birth", lambda text: birth(text, self.today, order))
        found = {
            "family_name": family,
            "given_names": given,
            "name_native_script": self.text("native name"),
            "sex": self.read("sex", lambda text: word(text, SEXES, "sex")),
            "date_of_birth": born.on.isoformat() if born else None,
            "dob_precision": born.precision if born else None,
            "nationality": nation,
            "phone": self.read("phone", phone),
            "languages": speaks or None,
        }
        return {key: value for key, value in found.items() if value is not None}

    def names(self) -> tuple[str, str]:
        """Returns given names and family name. A single column or a single name is used for both."""
        family, given = self.text("family name"), self.text("given names")
        if family and given:
            return given, family
        written = family or given or self.text("full name") or self.text("native name")
        if not written and not any(self.written(column) and not self.is_missing(column) for column in NAMES):
            column = next(column for column in NAMES if column in self.headings)
            self.wrong(column, "", NO_NAME, "enter at least one name, in Latin or Arabic script")
        return name_parts(written or "")

    # Cells

    def written(self, column: str) -> str:
        return tidy(self.line.cells.get(column, ""))

    def is_missing(self, column: str) -> bool:
        """Returns whether a cell is empty or only says that the value is unknown."""
        plain = folded(self.written(column))
        return plain in MISSING or (column not in FREE_TEXTS and plain in NOT_VALUES)

    def text(self, column: str) -> str | None:
        """Returns the text of a cell, or ``None`` when it is missing or was reported as no value."""
        is_reported = any(error.column == self.headings.get(column) for error in self.bad)
        return None if self.is_missing(column) or is_reported else self.written(column)

    def read(self, column: str, parse: Callable[[str], T]) -> T | None:
        """Returns the value of a cell, or ``None`` when it is empty or invalid; an invalid cell is reported."""
        written = self.text(column)
        if written is None:
            return None
        try:
            return parse(written)
        except UnclearCellError as unclear:
            self.wrong(column, written, unclear.problem, unclear.todo)
            return None

    def required(self, column: str, parse: Callable[[str], T]) -> T | None:
        if self.is_missing(column):
            self.wrong(column, self.written(column), f"the {column} is missing", "ask the person and complete the cell")
        return self.read(column, parse)

    def with_default(self, column: str, parse: Callable[[str], str], default: str | None) -> str | None:
        """Returns the value of a cell, or the default for the whole list; reports the cell when there is neither."""
        if self.is_missing(column) and default is None:
            todo = f"complete the cell, or set it for the whole list with --{column}"
            self.wrong(column, self.written(column), f"the {column} is missing", todo)
        return self.read(column, parse) or default

    def day(self, text: str) -> date:
        return day(text, self.today, self.source.order("registered on"))

    # Checks

    def check_texts(self) -> None:
        """Reports cells without a value of the person: program errors, placeholders, unreadable characters."""
        for column in self.headings:
            text = self.line.cells.get(column, "")
            if any(unicodedata.category(sign) in ("Cs", "Cc", "Co", "Cn") and not sign.isspace() for sign in text):
                shown = "".join(sign if sign.isprintable() else "\ufffd" for sign in tidy(text))
                self.wrong(column, shown, "the text has a character that cannot be read", "enter the text again")
            elif is_program_error(text):
                todo = "correct the formula in the spreadsheet, or write the value"
                self.wrong(column, tidy(text), "the cell has the error of a formula, not a value", todo)
            elif column in FREE_TEXTS and not self.is_missing(column) and is_placeholder(text):
                self.wrong(column, tidy(text), "the text is a placeholder, not a value", PLACEHOLDER_TODO)
            elif column in NAMES and not self.is_missing(column) and set(text) & NOT_IN_NAMES:
                self.wrong(column, tidy(text), "a name consists of letters", "write the name only")

    def require_consent(self, fields: Mapping[str, Any]) -> None:
        if fields.get("consent_to_data_processing") is False:
            self.wrong(
                "consent", self.text("consent") or "", "the person does not consent to the processing of their data",
                "remove the row; in an emergency use `awda case start` with an emergency_override",
            )  # fmt: skip

    def validate(self, fields: Mapping[str, Any]) -> None:
        for flaw in schema_errors(RegisterCase, fields):
            name = flaw.pointer.rpartition("/")[2].replace("_", " ")
            self.wrong(
                HEADINGS.get(name, name), str(flaw.value or ""), flaw.message, "correct the cell and import again"
            )

    def wrong(self, column: str, value: str, problem: str, todo: str) -> None:
        self.bad.append(RowError(self.line.row, self.headings.get(column, column), value, problem, todo))


PLACEHOLDER_TODO: Final = (
    "write the value, or clear the cell if it is not known; if it is a real name, register the person with "
    "`awda case start`"
)

NOT_IN_NAMES: Final = frozenset("{}[]<>|\\=@_0123456789٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹")

HEADINGS: Final = {"name native script": "native name", "consent to data processing": "consent"}
"""Columns whose heading differs from the name of the field."""


def at_midnight(on: date) -> datetime:
    """Returns the beginning of a day in Libya, in UTC."""
    return datetime(on.year, on.month, on.day, tzinfo=UTC) - TRIPOLI
