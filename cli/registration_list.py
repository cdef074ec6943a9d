"""Registration lists: each row of a list becomes what opens a case, or a report of what is wrong with it.

Nothing is written here. The names of a row's columns are those of the file, so that whoever keeps it finds them again.
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

TRIPOLI: Final = timedelta(hours=2)  # from UTC, all year

ANONYMOUS: Final = "there is no name in the row"

NEEDED: Final = ("nationality", "consent")

NAMES: Final = ("family name", "given names", "full name", "native name")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the list leaves unsaid about all its rows."""

    office: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """A row that can be imported. ``fields`` are those of ``RegisterCase``, as plain JSON."""

    row: int
    reference: str
    fields: Mapping[str, Any]

    @property
    def identity(self) -> bytes:
        """What makes it the same registration next time. Personal data: digested with a key before it leaves here."""
        if self.reference:
            return f"reference:{folded(self.reference)}".encode()
        return json.dumps(self.fields, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class CheckedList:
    """A list, checked. A row with anything wrong is in ``bad`` only."""

    rows: int
    good: tuple[Registration, ...]
    bad: tuple[RowError, ...]
    notes: tuple[str, ...] = ()


def check_list(path: Path, today: date, defaults: Defaults = Defaults()) -> CheckedList:
    """Read a list and check every row. Raises ``UnusableFileError`` when the file as a whole is none."""
    listing = read_list(path, LIST)
    _insist_on_columns(listing, path.name)
    rows = [RegistrationRow(line, listing.headings, today, defaults) for line in listing.lines]
    good = [row.registration() for row in rows]
    bad = [each for row in rows for each in row.bad]
    return CheckedList(len(rows), tuple(each for each in good if each), tuple(bad), listing.notes)


def _insist_on_columns(listing: TableFile, name: str) -> None:
    if not any(column in listing.headings for column in NAMES):
        raise UnusableFileError(f"{name} has no column for names: head one 'family name', 'full name' or 'native name'")
    for column in NEEDED:
        if column not in listing.headings:
            raise UnusableFileError(f"{name} has no column for {column}: add one headed '{column}'")


@dataclass
class RegistrationRow:
    """One row being read; whatever is wrong gathers in ``bad``, so that all of it is told at once."""

    line: TableRow
    headings: Mapping[str, str]
    today: date
    defaults: Defaults
    bad: list[RowError] = field(default_factory=list)

    def registration(self) -> Registration | None:
        """What the row says, or nothing if something in it is wrong."""
        if self.line.spare:
            todo = "a cell may hold the separator: put it in quotation marks, or add a heading"
            self.wrong("", ", ".join(self.line.spare), "the row has more cells than there are headings", todo)
        fields = {key: value for key, value in self.fields().items() if value is not None}
        self.insist_on_consent(fields)
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
            "channel": self.settled("channel", lambda text: word(text, CHANNELS, "channel"), self.defaults.channel),
            "office": self.settled("office", tidy, self.defaults.office),
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
        """Given names and family name; where there is but one column, or one name, it serves for both."""
        family, given = self.text("family name"), self.text("given names")
        if family and given:
            return given, family
        written = family or given or self.text("full name") or self.text("native name")
        if not written:
            column = next(column for column in NAMES if column in self.headings)
            self.wrong(column, "", ANONYMOUS, "write at least one name, in Latin or Arabic letters")
        return name_parts(written or "")

    # Cells

    def written(self, column: str) -> str:
        return tidy(self.line.cells.get(column, ""))

    def text(self, column: str) -> str | None:
        """What is written in a cell, unless it only says that nothing is known."""
        written = self.written(column)
        return None if folded(written) in MISSING else written

    def read(self, column: str, understand: Callable[[str], T]) -> T | None:
        """What a cell means, or nothing when it is empty or cannot be understood."""
        written = self.text(column)
        if written is None:
            return None
        try:
            return understand(written)
        except UnclearCellError as unclear:
            self.wrong(column, written, unclear.problem, unclear.todo)
            return None

    def required(self, column: str, understand: Callable[[str], T]) -> T | None:
        if self.text(column) is None:
            self.wrong(column, self.written(column), "it is not known", "ask the person and fill it in")
        return self.read(column, understand)

    def settled(self, column: str, understand: Callable[[str], str], otherwise: str | None) -> str | None:
        """A cell that may be left to what was said of the whole list."""
        if self.text(column) is None and otherwise is None:
            todo = f"fill it in, or say it for the whole list with --{column}"
            self.wrong(column, self.written(column), f"the {column} is not given", todo)
        return self.read(column, understand) or otherwise

    def day(self, text: str) -> date:
        return day(text, self.today)

    # Judgement

    def insist_on_consent(self, fields: Mapping[str, Any]) -> None:
        if fields.get("consent_to_data_processing") is False:
            self.wrong(
                "consent", self.text("consent") or "", "the person does not consent to their data being kept",
                "leave the row out; in an emergency use `awda case start` with an emergency_override",
            )  # fmt: skip

    def validate(self, fields: Mapping[str, Any]) -> None:
        for flaw in schema_errors(RegisterCase, fields):
            name = flaw.pointer.rpartition("/")[2].replace("_", " ")
            self.wrong(
                SPELLED.get(name, name), str(flaw.value or ""), flaw.message, "correct the cell and import again"
            )

    def wrong(self, column: str, value: str, problem: str, todo: str) -> None:
        self.bad.append(RowError(self.line.row, self.headings.get(column, column), value, problem, todo))


SPELLED: Final = {"name native script": "native name", "consent to data processing": "consent"}
"""Columns that the programme calls otherwise."""


def at_midnight(on: date) -> datetime:
    """The beginning of a day in Libya (UTC)."""
    return datetime(on.year, on.month, on.day, tzinfo=UTC) - TRIPOLI
