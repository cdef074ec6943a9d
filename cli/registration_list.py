"""Reads and checks registration lists: each row becomes a registration, or a list of its errors.

Nothing is stored here. Errors name the columns as the file does, so that its author finds them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from cli.registration_vocabulary import CHANNELS, COLUMNS, LIVING
from domain.commands.screening import RegisterCase
from gateway.intake.validation import schema_errors
from gateway.tabular.cells import UnclearCellError, answer, birth, day, name_parts, nationality, phone, tongues, word
from gateway.tabular.files import ListFormat, RowError, TableFile, TableRow, UnusableFileError, read_list
from gateway.tabular.normalization import MISSING, SEXES, folded, tidy

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


@dataclass(frozen=True, slots=True)
class Defaults:
    """Values for rows in which the column is empty."""

    office: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """A row without errors. ``fields`` are those of ``RegisterCase``, as plain JSON."""

    row: int
    reference: str
    fields: Mapping[str, Any]

    @property
    def identity(self) -> bytes:
        """Identifies the registration when the list is imported again. Personal data: must be digested with a key."""
        if self.reference:
            return f"reference:{folded(self.reference)}".encode()
        return json.dumps(self.fields, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class CheckedList:
    """A checked list. A row with errors is in ``bad`` only."""

    rows: int
    good: tuple[Registration, ...]
    bad: tuple[RowError, ...]
    notes: tuple[str, ...] = ()


def check_list(path: Path, today: date, defaults: Defaults = Defaults()) -> CheckedList:
    """Reads a list and checks every row. Raises ``UnusableFileError`` when the file is not a registration list."""
    listing = read_list(path, LIST)
    _require_columns(listing, path.name)
    rows = [RegistrationRow(line, listing.headings, today, defaults) for line in listing.lines]
    good = [row.registration() for row in rows]
    bad = [each for row in rows for each in row.bad]
    return CheckedList(len(rows), tuple(each for each in good if each), tuple(bad), listing.notes)


def _require_columns(listing: TableFile, name: str) -> None:
    if not any(column in listing.headings for column in NAMES):
        raise UnusableFileError(
            f"{name} has no column for names: add a column headed 'family name', 'full name' or 'native name'"
        )
    for column in NEEDED:
        if column not in listing.headings:
            raise UnusableFileError(f"{name} has no column for {column}: add a column headed '{column}'")


@dataclass
class RegistrationRow:
    """One row while it is read. Errors are collected in ``bad``, so that all of them are reported together."""

    line: TableRow
    headings: Mapping[str, str]
    today: date
    defaults: Defaults
    bad: list[RowError] = field(default_factory=list)

    def registration(self) -> Registration | None:
        """Returns the registration, or ``None`` when the row has errors."""
        if self.line.spare:
            todo = "if a cell contains the separator, put the cell in quotation marks; otherwise add a heading"
            self.wrong("", ", ".join(self.line.spare), "the row has more cells than the heading row", todo)
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
        born = self.read("date of birth", lambda text: birth(text, self.today))
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
        if not written:
            column = next(column for column in NAMES if column in self.headings)
            self.wrong(column, "", NO_NAME, "enter at least one name, in Latin or Arabic script")
        return name_parts(written or "")

    # Cells

    def written(self, column: str) -> str:
        return tidy(self.line.cells.get(column, ""))

    def text(self, column: str) -> str | None:
        """Returns the text of a cell, or ``None`` when it is empty or only says that the value is unknown."""
        written = self.written(column)
        return None if folded(written) in MISSING else written

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
        if self.text(column) is None:
            self.wrong(column, self.written(column), f"the {column} is missing", "ask the person and complete the cell")
        return self.read(column, parse)

    def with_default(self, column: str, parse: Callable[[str], str], default: str | None) -> str | None:
        """Returns the value of a cell, or the default for the whole list; reports the cell when there is neither."""
        if self.text(column) is None and default is None:
            todo = f"complete the cell, or set it for the whole list with --{column}"
            self.wrong(column, self.written(column), f"the {column} is missing", todo)
        return self.read(column, parse) or default

    def day(self, text: str) -> date:
        return day(text, self.today)

    # Checks

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


HEADINGS: Final = {"name native script": "native name", "consent to data processing": "consent"}
"""Columns whose heading differs from the name of the field."""


def at_midnight(on: date) -> datetime:
    """Returns the beginning of a day in Libya, in UTC."""
    return datetime(on.year, on.month, on.day, tzinfo=UTC) - TRIPOLI
