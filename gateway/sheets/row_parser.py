"""One row of a sheet that came back: what the partner says in it, and what is wrong with it.

Three things are told apart. The person's own word is taken whatever else stands in the row. A result that restricts is
taken as far as it can be read: nobody flies because a date was illegible. A result that permits is taken whole, or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, Final

from domain.kernel.vocabulary import ReferralKind
from domain.referral.sheets import (
    ANSWERS,
    CELLS,
    CONCERN,
    NOTE,
    RESULT,
    STATEMENT_COLUMNS,
    WITHDRAWAL,
    CellType,
    SheetOutcome,
)
from gateway.sheets.translations import (
    AIRPORTS,
    COLUMNS,
    DOCUMENTS,
    REFUSALS,
    RESULTS,
    UNSAID,
    YES_OR_NO,
    Translation,
    known_by,
)
from gateway.tabular.cells import UnclearCellError, birth, day, western
from gateway.tabular.files import ListFormat, RowError, TableRow
from gateway.tabular.normalization import MISSING, folded, known, tidy

CODE: Final = "row code"

UNPACKED: Final = 12_000_000  # bytes of a sheet without its compression

LONGEST_NOTE: Final = 2000

LONGEST_TEXT: Final = 120

FAR: Final = timedelta(days=50 * 366)  # how far ahead a paper may be valid

WITH_TIME: Final = re.compile(r"^(.*\d)[ T,]+(\d{1,2})[:h.](\d{2})(?::\d{2})?$")

AMOUNT: Final = re.compile(r"^(\d{1,6})(?:[.,]0+)?$")

EXECUTED: Final = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for the beginning of a formula

WHOLE_DATE: Final = "write it as 2026-12-01, or 01/12/2026 with the day first"

NO_PLACE: Final = "nothing was asked for that this could answer, so it is not recorded"


def form(rows: int) -> ListFormat:
    """What a sheet that comes back should look like. A formula in it is text: it says nothing about a person."""
    return ListFormat(
        COLUMNS, "Row code, Family name, Given names, Result, Date, Note", rows=rows, computed=False, times=True
    )


def safe(text: str) -> str:
    """The text as a cell of a file that some spreadsheet will open: never the beginning of a formula."""
    return f"'{text}" if text.startswith(EXECUTED) else text


def unsafe(text: str) -> str:
    """The same text again."""
    return text[1:] if text.startswith("'") and text[1:].startswith(EXECUTED) else text


@dataclass(frozen=True, slots=True)
class RowStatement:
    """One thing a row says: ``part`` is the column, ``fields`` those of a signal, but for whom and where from."""

    part: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowContext:
    """What is known of a row before it is read. ``issued_at`` (UTC) stands for a date that is not given."""

    kind: ReferralKind
    issued_at: datetime
    today: date
    zone: timezone


def read_row(
    line: TableRow, headings: Mapping[str, str], about: RowContext
) -> tuple[list[RowStatement], list[RowError]]:
    """What a row says, its person's own word first, and everything that is wrong with it."""
    row = _Row(line, headings, about)
    said = [*row.statements(), *row.result()]
    return said, row.bad


@dataclass
class _Row:
    line: TableRow
    headings: Mapping[str, str]
    about: RowContext
    bad: list[RowError] = field(default_factory=list)

    # What the person says

    def statements(self) -> list[RowStatement]:
        return [said for column in (WITHDRAWAL, CONCERN) if (said := self.statement(column))]

    def statement(self, column: str) -> RowStatement | None:
        """Anything but a clear no counts: a doubt about the wish to return is for a person to clear up."""
        text = self.written(column)
        if folded(text) in UNSAID:
            return None
        reason = None if known(YES, text) == "yes" or folded(text) in TICKED else text
        payload = {"text": reason} if reason and len(reason) > LONGEST_NOTE else {}
        fields = {"signal_type": STATEMENT_COLUMNS[column].value, "reason": (reason or "")[:LONGEST_NOTE] or None}
        return RowStatement(column, self._with_who(fields, payload, self.about.issued_at))

    # What the partner says

    def result(self) -> list[RowStatement]:
        outcome = self.outcome()
        if outcome is None:
            self.insist_on_a_result()
            return []
        found, flawed = self.cells()
        note = self.note()
        lacking = self.lacking(outcome, found)
        for column in lacking:
            self.wrong(column, f"it is needed for {self.written(RESULT)!r}", "fill it in and bring the sheet in again")
        if outcome.permits and (flawed or lacking or self.has_slipped()):
            return []
        return [self.said(outcome, found, note)]

    def outcome(self) -> SheetOutcome | None:
        text = self.written(RESULT)
        if folded(text) in MISSING:
            return None
        answers = ANSWERS[self.about.kind]
        allowed = known_by(RESULTS, [each.code for each in answers.outcomes])
        code = known(allowed, text)
        if code is None:
            choices = ", ".join(RESULTS[each.code].en for each in answers.outcomes)
            self.wrong(RESULT, f"{text!r} is no result of this row", f"write one of: {choices}")
            return None
        return answers.outcome(code)

    def insist_on_a_result(self) -> None:
        """Something is filled in and nothing is said: whoever wrote it thinks that it was."""
        if folded(self.written(RESULT)) not in MISSING:
            return
        filled = [column for column in (*CELLS, NOTE) if self.written(column)]
        if filled:
            todo = "write the result, or clear the row"
            self.wrong(filled[0], "there is no result beside it, so nothing of it is recorded", todo)

    def cells(self) -> tuple[dict[str, Any], bool]:
        """What the cells beside the result mean, by column, and whether one of them could not be read."""
        asked = {"date", *ANSWERS[self.about.kind].cells}
        found, flawed = dict[str, Any](), False
        for column, holds in CELLS.items():
            text = self.written(column)
            if folded(text) in MISSING:
                continue
            if column not in asked:
                self.wrong(column, NO_PLACE, "write it where it was asked for; another sheet may follow this one")
                continue
            try:
                found[column] = self.understood(holds, text)
            except UnclearCellError as unclear:
                self.wrong(column, unclear.problem, unclear.todo)
                flawed = True
        return found, flawed

    def understood(self, holds: CellType, text: str) -> Any:
        latest = self.about.today + (FAR if holds is CellType.COMING else timedelta())
        if holds in (CellType.DAY, CellType.COMING):
            return _day(text, latest).isoformat()
        if holds is CellType.MOMENT:
            return self.moment(text, latest)
        return READ[holds](text)

    def moment(self, text: str, latest: date) -> str:
        """A day; with a time, the moment in the partner's own zone."""
        written = WITH_TIME.match(western(text))
        if written is None:
            return _day(text, latest).isoformat()
        try:
            clock = time(int(written[2]), int(written[3]))
        except ValueError:
            raise UnclearCellError(f"{text!r} has no such time of day", "write it as 2026-12-01 14:30") from None
        if clock == time():  # what a spreadsheet adds to a day
            return _day(written[1], latest).isoformat()
        return datetime.combine(_day(written[1], latest), clock, self.about.zone).isoformat()

    def note(self) -> str | None:
        text = self.written(NOTE)
        if len(text) > LONGEST_NOTE:
            self.wrong(NOTE, f"it has more than {LONGEST_NOTE} characters", "only the first are kept; shorten it")
        return text[:LONGEST_NOTE] or None

    def lacking(self, outcome: SheetOutcome, found: Mapping[str, Any]) -> list[str]:
        """What a permission lacks. Nobody may sign for a child whose identity was not checked."""
        has = {column for column, value in found.items() if value is not False}
        has |= {NOTE} if self.written(NOTE) else set()
        return sorted(outcome.needs - has)

    def has_slipped(self) -> bool:
        if not self.line.spare:
            return False
        todo = "a cell may hold the separator: put it in quotation marks"
        self.wrong("", "the row has more cells than there are headings", todo, ", ".join(self.line.spare))
        return True

    def said(self, outcome: SheetOutcome, found: Mapping[str, Any], note: str | None) -> RowStatement:
        names = ANSWERS[self.about.kind].cells
        payload = {names[column]: value for column, value in found.items() if column in names}
        fields = {"signal_type": outcome.signal.value, "outcome_code": outcome.outcome_code, "reason": note}
        return RowStatement(RESULT, self._with_who(fields, payload, self._since(found.get("date"))))

    def _since(self, told: str | None) -> datetime:
        if told is None:
            return self.about.issued_at
        at = datetime.fromisoformat(told)
        return at if at.tzinfo else at.replace(tzinfo=self.about.zone)

    def _with_who(self, fields: Mapping[str, Any], payload: Mapping[str, Any], at: datetime) -> dict[str, Any]:
        """With the name that stands in the row, so that codes which have slipped to other people are noticed."""
        told = {**fields, "occurred_at": at.isoformat(), "payload": dict(payload), "subject_check": self._who()}
        return {name: value for name, value in told.items() if value is not None}

    def _who(self) -> dict[str, Any] | None:
        given = self.written("given_names")
        if folded(given) in MISSING or len(given) > LONGEST_TEXT:
            return None
        try:
            born = birth(self.written("date_of_birth"), self.about.today).on.year
        except UnclearCellError:
            return {"given_name": given}
        return {"given_name": given, "year_of_birth": born}

    # Cells

    def written(self, column: str) -> str:
        return clean(self.line.cells.get(column, ""))

    def wrong(self, column: str, problem: str, todo: str, value: str | None = None) -> None:
        shown = self.written(column) if value is None else value
        self.bad.append(RowError(self.line.row, self.headings.get(column, column), shown, problem, todo))


def clean(text: str) -> str:
    """What somebody wrote, without what no text holds: control signs and halves of letters."""
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
        raise UnclearCellError(f"it has more than {LONGEST_TEXT} characters", "shorten it; there is a column for notes")
    return text


def _count(text: str) -> int:
    bare = re.sub(r"\s|€|eur(?:os?)?", "", western(text).casefold())
    if amount := AMOUNT.match(bare):
        return int(amount[1])
    raise UnclearCellError(f"{text!r} is not a whole number", "write it in digits, without a fraction")


def _one_of(words: Mapping[str, Translation]) -> Callable[[str], str]:
    spellings = known_by(words)

    def read(text: str) -> str:
        if found := known(spellings, text):
            return found
        raise UnclearCellError(
            f"{text!r} is not known here", f"write one of: {', '.join(each.en for each in words.values())}"
        )

    return read


def _airport(text: str) -> str:
    code = known(AIRPORTS, text) or text.upper()
    if re.fullmatch("[A-Z]{3}", code):
        return code
    raise UnclearCellError(f"{text!r} is no airport known here", "write its three letters, such as MJI")


READ: Final[Mapping[CellType, Callable[[str], Any]]] = {
    CellType.TEXT: _text,
    CellType.NUMBER: lambda text: _text(western(text)),
    CellType.COUNT: _count,
    CellType.ANSWER: lambda text: _one_of(YES_OR_NO)(text) == "yes",
    CellType.DOCUMENT: _one_of(DOCUMENTS),
    CellType.REFUSAL: _one_of(REFUSALS),
    CellType.AIRPORT: _airport,
}
