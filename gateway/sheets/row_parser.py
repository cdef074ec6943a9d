"""Reads one row of a returned sheet: what the partner reports in it, and which of its cells have errors.

Three kinds of statement follow different rules:

* The person's own statement (withdrawal or concern) is accepted whatever else is in the row.
* A restrictive result is accepted as far as it can be read, so that an illegible date never lets a person travel.
* A permissive result is accepted only when it is complete and correct.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, Final

from domain.kernel.names import DOCUMENT_NAMES, Translation
from domain.kernel.vocabulary import ReferralKind
from domain.referral.sheets import (
    CELLS,
    CONCERN,
    NOTE,
    RESULT,
    SHEET_OUTCOMES,
    STATEMENT_COLUMNS,
    WITHDRAWAL,
    CellType,
    SheetOutcome,
)
from gateway.sheets.translations import AIRPORTS, COLUMNS, REFUSALS, RESULTS, UNSAID, YES_OR_NO
from gateway.tabular.cells import UnclearCellError, birth, day, western
from gateway.tabular.model import ListFormat, RowError, TableRow
from gateway.tabular.normalization import MISSING, folded, known, known_by, tidy

CODE: Final = "row code"

LONGEST_NOTE: Final = 2000

LONGEST_TEXT: Final = 120

FAR: Final = timedelta(days=50 * 366)  # how far in the future a document may be valid

WITH_TIME: Final = re.compile(r"^(.*\d)[ T,]+(\d{1,2})[:h.](\d{2})(?::\d{2})?$")

AMOUNT: Final = re.compile(r"^(\d{1,6})(?:[.,]0+)?$")

EXECUTED: Final = ("=", "+", "-", "@", "\t", "\r")  # spreadsheets read these as the beginning of a formula

WHOLE_DATE: Final = "write it as 2026-12-01, or as 01/12/2026 with the day first"

NOT_REQUESTED: Final = "this row does not ask for this value, so it is not recorded"


def form(rows: int) -> ListFormat:
    """Returns the expected format of a returned sheet. Formulas are read as text, because they report nothing."""
    return ListFormat(
        COLUMNS, "Row code, Family name, Given names, Result, Date, Note", rows=rows, computed=False, times=True
    )


def safe(text: str) -> str:
    """Returns the text as a spreadsheet cell, escaped so that it is never the beginning of a formula."""
    return f"'{text}" if text.startswith(EXECUTED) else text


def unsafe(text: str) -> str:
    """Returns the text of a cell that ``safe`` escaped."""
    return text[1:] if text.startswith("'") and text[1:].startswith(EXECUTED) else text


@dataclass(frozen=True, slots=True)
class RowStatement:
    """One statement of a row. ``part`` is its column.

    ``fields`` are those of a signal without the referral, the partner and the sheet.
    """

    part: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowContext:
    """What is known about a row before it is read. ``issued_at`` (UTC) is used where the row gives no date."""

    kind: ReferralKind
    issued_at: datetime
    today: date
    zone: timezone


def read_row(
    line: TableRow, headings: Mapping[str, str], context: RowContext
) -> tuple[list[RowStatement], list[RowError]]:
    """Returns the statements of a row, the person's own statement first, and all of its errors."""
    row = _Row(line, headings, context)
    statements = [*row.statements(), *row.result()]
    return statements, row.errors


@dataclass
class _Row:
    line: TableRow
    headings: Mapping[str, str]
    context: RowContext
    errors: list[RowError] = field(default_factory=list)

    # Statements of the person

    def statements(self) -> list[RowStatement]:
        return [found for column in (WITHDRAWAL, CONCERN) if (found := self.statement(column))]

    def statement(self, column: str) -> RowStatement | None:
        """Returns the person's statement. Anything except a clear no counts: a person must clear up any doubt."""
        text = self.text(column)
        if folded(text) in UNSAID:
            return None
        reason = None if known(YES, text) == "yes" or folded(text) in TICKED else text
        payload = {"text": reason} if reason and len(reason) > LONGEST_NOTE else {}
        fields = {"signal_type": STATEMENT_COLUMNS[column].value, "reason": (reason or "")[:LONGEST_NOTE] or None}
        return RowStatement(column, self._with_subject(fields, payload, self.context.issued_at))

    # The result of the partner

    def result(self) -> list[RowStatement]:
        outcome = self.outcome()
        if outcome is None:
            self.require_result()
            return []
        values, has_errors = self.cells()
        note = self.note()
        missing = self.missing(outcome, values)
        for column in missing:
            problem = f"it is required when the result is {self.text(RESULT)!r}"
            self.report(column, problem, "fill it in and submit the sheet again")
        if outcome.permits and (has_errors or missing or self.has_shifted()):
            return []
        return [self.result_statement(outcome, values, note)]

    def outcome(self) -> SheetOutcome | None:
        text = self.text(RESULT)
        if folded(text) in MISSING:
            return None
        answers = SHEET_OUTCOMES[self.context.kind]
        allowed = known_by(RESULTS, [each.code for each in answers.outcomes])
        code = known(allowed, text)
        if code is None:
            choices = ", ".join(RESULTS[each.code].en for each in answers.outcomes)
            self.report(RESULT, f"{text!r} is not a result of this row", f"write one of: {choices}")
            return None
        return answers.outcome(code)

    def require_result(self) -> None:
        """Reports a row that has values but no result: its author expects that it was recorded."""
        if folded(self.text(RESULT)) not in MISSING:
            return
        filled = [column for column in (*CELLS, NOTE) if self.text(column)]
        if filled:
            problem = "the row has no result, so nothing of it is recorded"
            self.report(filled[0], problem, "write the result, or clear the row")

    def cells(self) -> tuple[dict[str, Any], bool]:
        """Returns the values of the cells beside the result, by column, and whether one of them could not be read."""
        requested = {"date", *SHEET_OUTCOMES[self.context.kind].cells}
        values, has_errors = dict[str, Any](), False
        for column, cell_type in CELLS.items():
            text = self.text(column)
            if folded(text) in MISSING:
                continue
            if column not in requested:
                self.report(column, NOT_REQUESTED, "write it in a row that asks for it, on this sheet or a later one")
                continue
            try:
                values[column] = self.value(cell_type, text)
            except UnclearCellError as unclear:
                self.report(column, unclear.problem, unclear.todo)
                has_errors = True
        return values, has_errors

    def value(self, cell_type: CellType, text: str) -> Any:
        latest = self.context.today + (FAR if cell_type is CellType.COMING else timedelta())
        if cell_type in (CellType.DAY, CellType.COMING):
            return _day(text, latest).isoformat()
        if cell_type is CellType.MOMENT:
            return self.moment(text, latest)
        return READ[cell_type](text)

    def moment(self, text: str, latest: date) -> str:
        """Returns a date, or a date and time in the partner's time zone, in ISO 8601."""
        parts = WITH_TIME.match(western(text))
        if parts is None:
            return _day(text, latest).isoformat()
        try:
            clock = time(int(parts[2]), int(parts[3]))
        except ValueError:
            raise UnclearCellError(f"{text!r} has a time that does not exist", "write it as 2026-12-01 14:30") from None
        if clock == time():  # spreadsheets add midnight to a date
            return _day(parts[1], latest).isoformat()
        return datetime.combine(_day(parts[1], latest), clock, self.context.zone).isoformat()

    def note(self) -> str | None:
        text = self.text(NOTE)
        if len(text) > LONGEST_NOTE:
            todo = "shorten it; only the part within the limit is recorded"
            self.report(NOTE, f"it has more than {LONGEST_NOTE} characters", todo)
        return text[:LONGEST_NOTE] or None

    def missing(self, outcome: SheetOutcome, values: Mapping[str, Any]) -> list[str]:
        """Returns the columns that a permissive result still needs.

        A cell that says no counts as missing: a child is not handed over to a caregiver whose identity was not checked.
        """
        has = {column for column, value in values.items() if value is not False}
        has |= {NOTE} if self.text(NOTE) else set()
        return sorted(outcome.needs - has)

    def has_shifted(self) -> bool:
        """Reports and returns whether the row has more cells than headings, so that values may be misplaced."""
        if not self.line.spare:
            return False
        todo = "if a cell contains the separator, put the cell in quotation marks"
        self.report("", "the row has more cells than there are headings", todo, ", ".join(self.line.spare))
        return True

    def result_statement(self, outcome: SheetOutcome, values: Mapping[str, Any], note: str | None) -> RowStatement:
        names = SHEET_OUTCOMES[self.context.kind].cells
        payload = {names[column]: value for column, value in values.items() if column in names}
        fields = {"signal_type": outcome.signal.value, "outcome_code": outcome.outcome_code, "reason": note}
        return RowStatement(RESULT, self._with_subject(fields, payload, self._occurred_at(values.get("date"))))

    def _occurred_at(self, written: str | None) -> datetime:
        if written is None:
            return self.context.issued_at
        at = datetime.fromisoformat(written)
        return at if at.tzinfo else at.replace(tzinfo=self.context.zone)

    def _with_subject(self, fields: Mapping[str, Any], payload: Mapping[str, Any], at: datetime) -> dict[str, Any]:
        """Adds the name in the row, so that row codes that were moved to other people are detected."""
        complete = {**fields, "occurred_at": at.isoformat(), "payload": dict(payload), "subject_check": self._subject()}
        return {name: value for name, value in complete.items() if value is not None}

    def _subject(self) -> dict[str, Any] | None:
        given = self.text("given_names")
        if folded(given) in MISSING or len(given) > LONGEST_TEXT:
            return None
        try:
            born = birth(self.text("date_of_birth"), self.context.today).on.year
        except UnclearCellError:
            return {"given_name": given}
        return {"given_name": given, "year_of_birth": born}

    # Cells

    def text(self, column: str) -> str:
        return clean(self.line.cells.get(column, ""))

    def report(self, column: str, problem: str, todo: str, value: str | None = None) -> None:
        shown = self.text(column) if value is None else value
        self.errors.append(RowError(self.line.row, self.headings.get(column, column), shown, problem, todo))


def clean(text: str) -> str:
    """Returns the text of a cell without control characters and unpaired surrogates."""
    printable = "".join(sign if sign.isprintable() or sign.isspace() else " " for sign in unsafe(tidy(text)))
    return tidy(printable.encode("utf-8", "ignore").decode())


TICKED: Final = frozenset(map(folded, ("x", "v", "✓", "✔", "☑", "☒", "✗", "✘", "1", "true", "vrai")))

YES: Final = known_by(YES_OR_NO)


def _day(text: str, latest: date) -> date:
    try:
        return day(text, latest)
    except UnclearCellError as unclear:
        raise UnclearCellError(unclear.problem, WHOLE_DATE) from None


def _text(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        todo = "shorten it, or write the rest in the note column"
        raise UnclearCellError(f"it has more than {LONGEST_TEXT} characters", todo)
    return text


def _count(text: str) -> int:
    digits = re.sub(r"\s|€|eur(?:os?)?", "", western(text).casefold())
    if amount := AMOUNT.match(digits):
        return int(amount[1])
    raise UnclearCellError(f"{text!r} is not a whole number", "write a whole number in digits, for example 65")


def _one_of(words: Mapping[str, Translation]) -> Callable[[str], str]:
    spellings = known_by(words)

    def read(text: str) -> str:
        if found := known(spellings, text):
            return found
        choices = ", ".join(each.en for each in words.values())
        raise UnclearCellError(f"{text!r} is not one of the choices of this column", f"write one of: {choices}")

    return read


def _airport(text: str) -> str:
    code = known(AIRPORTS, text) or text.upper()
    if re.fullmatch("[A-Z]{3}", code):
        return code
    raise UnclearCellError(f"{text!r} is not a known airport", "write its three-letter code, for example MJI")


READ: Final[Mapping[CellType, Callable[[str], Any]]] = {
    CellType.TEXT: _text,
    CellType.NUMBER: lambda text: _text(western(text)),
    CellType.COUNT: _count,
    CellType.ANSWER: lambda text: _one_of(YES_OR_NO)(text) == "yes",
    CellType.DOCUMENT: _one_of(DOCUMENT_NAMES),
    CellType.REFUSAL: _one_of(REFUSALS),
    CellType.AIRPORT: _airport,
}
