"""Collects a returned sheet: each statement of a row is submitted once, as a signal of the partner.

The partner made the statement and a staff member recorded it, so every line is submitted as the partner's signal with
that staff member as its actor. Errors in a row are returned at once to the person who has the paper; the other rows are
submitted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Final
from uuid import UUID

from audit.replay import UnknownStreamError, replay
from domain.case.aggregate import Case
from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.directory import Partner
from domain.kernel.event import NEVER
from domain.kernel.policy import NEWEST
from domain.referral.sheets import CELLS, NOTE, RESULT, SHEET_OUTCOMES, STATEMENT_COLUMNS, parse_code
from domain.signals.handler import identity_mismatch
from gateway.intake.service import Intake
from gateway.intake.validation import schema_errors
from gateway.sheets.issue import until_settled
from gateway.sheets.row_parser import CODE, RowContext, RowStatement, clean, form, read_row
from gateway.sheets.translations import RESULTS
from gateway.tabular.files import RowError, TableFile, TableRow, read_bytes
from store.partners import sheets
from store.partners.registry import RegisteredPartner
from store.partners.sheets import RowTarget
from store.postgres.clock import now

OnProgress = Callable[[int, int], object]
"""Called with the number of submitted lines and the number of all lines."""

FILLED: Final = (RESULT, *CELLS, NOTE, *STATEMENT_COLUMNS)

UNKNOWN_CODE: Final = "this row code is not on any sheet of this partner"

COMPARE: Final = "compare the row code with the paper, and check that the sheet belongs to this partner"

FINE: Final = frozenset({"applied", "ignored", "late"})
"""The statuses of lines that need no action."""


@dataclass(frozen=True, slots=True)
class ReadyLine:
    """A line that can be submitted. ``placed`` is ``None`` when its row code is unknown."""

    row: int
    code: str
    part: str
    line_id: UUID
    fields: dict[str, Any]
    placed: RowTarget | None


@dataclass(frozen=True, slots=True)
class CheckedSheet:
    """A checked sheet. ``ready`` has the lines in order of submission: the persons' own statements first."""

    partner: RegisteredPartner
    rows: int
    ready: tuple[ReadyLine, ...]
    bad: tuple[RowError, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LineResult:
    """The outcome of one line: ``applied``, ``ignored``, ``late``, ``quarantined``, ``refused`` or still pending."""

    row: int
    row_code: str
    part: str
    message_id: UUID
    status: str
    repeated: bool
    result: Mapping[str, Any] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """Returns the outcome as a JSON object, with the details that the rule gave."""
        line = {"row": self.row, "row_code": self.row_code, "part": self.part, "status": self.status}
        details = {name: value for name, value in self.result.items() if name not in ("status", "version")}
        return {**line, **details, "message_id": str(self.message_id), "repeated": self.repeated}


def read_sheet(name: str, raw: bytes) -> TableFile:
    """Returns the rows of a sheet's file. Raises ``UnusableFileError``."""
    return read_bytes(name, raw, form(NEWEST.in_force.sheet_rows))


# Checking


@dataclass(frozen=True, slots=True)
class _Row:
    """A row in which something is filled in, and the referral that its code stands for."""

    line: TableRow
    code: str | None
    placed: RowTarget | None
    of_this_partner: bool

    @property
    def written_code(self) -> str:
        return clean(self.line.cells.get(CODE, ""))


_RowAndStatement = tuple[_Row, RowStatement]


async def check(intake: Intake, partner: RegisteredPartner, listing: TableFile) -> CheckedSheet:
    """Reads every row and resolves its row code. Nothing is submitted."""
    at = await now(intake.pool)
    zone = Partner(partner.partner_id, partner.kinds, partner.country).calendar.zone
    rows = await _rows(intake, partner, listing)
    statements, errors = list[_RowAndStatement](), list[RowError]()
    for row in rows:
        found, wrong = _read(row, listing, at, zone)
        statements += [(row, each) for each in found]
        errors += wrong
    statements, contradictions = _without_contradictions(statements, listing)
    ready, invalid = _valid_lines([_line(intake, partner, row, each) for row, each in statements])
    errors += [*contradictions, *invalid, *await _name_mismatches(intake, listing, ready)]
    return CheckedSheet(partner, len(rows), ready, tuple(sorted(errors, key=lambda each: each.row)), listing.notes)


async def _rows(intake: Intake, partner: RegisteredPartner, listing: TableFile) -> list[_Row]:
    filled = [line for line in listing.lines if any(clean(line.cells.get(column, "")) for column in FILLED)]
    codes = [parse_code(line.cells.get(CODE, "")) for line in filled]
    known = await sheets.placed(intake.pool, filter(None, codes))
    found = [(line, code, known.get(code or "")) for line, code in zip(filled, codes, strict=True)]
    return [
        _Row(line, code, placed, placed is not None and placed.partner_id == partner.partner_id)
        for line, code, placed in found
    ]


def _read(row: _Row, listing: TableFile, at: datetime, zone: timezone) -> tuple[list[RowStatement], list[RowError]]:
    """Returns the statements and errors of a row.

    Of a row whose code is not one of this partner's, only the person's own statement is kept, for a person to review.
    """
    if row.of_this_partner and row.placed:
        context = RowContext(row.placed.kind, row.placed.issued_at, at.astimezone(zone).date(), zone)
        return read_row(row.line, listing.headings, context)
    since = row.placed.issued_at if row.placed else NEVER  # a repetition must be read as the same statement
    found, _ = read_row(
        row.line, listing.headings, RowContext(next(iter(SHEET_OUTCOMES)), since, at.astimezone(zone).date(), zone)
    )
    return [each for each in found if each.part in STATEMENT_COLUMNS], [_unknown_code(row, listing)]


def _unknown_code(row: _Row, listing: TableFile) -> RowError:
    """Returns the error for an unknown row code. The code of another partner is reported in the same words."""
    if row.code:
        problem = UNKNOWN_CODE
    else:
        problem = "the row code has a wrong character" if row.written_code else "the row has no row code"
    return RowError(row.line.row, listing.headings.get(CODE, CODE), row.written_code, problem, COMPARE)


def _without_contradictions(
    statements: Sequence[_RowAndStatement], listing: TableFile
) -> tuple[list[_RowAndStatement], list[RowError]]:
    """Removes the permissive results of rows that have the same code and different results."""
    results = defaultdict[str | None, list[_RowAndStatement]](list)
    for row, each in statements:
        if each.part == RESULT:
            results[row.code].append((row, each))
    contradicted = {
        code for code, found in results.items() if any(each.fields != found[0][1].fields for _, each in found)
    }
    heading, problem = listing.headings.get(CODE, CODE), "two rows with this row code have different results"
    errors = [
        RowError(row.line.row, heading, row.written_code, problem, "find out which row is right, and delete the other")
        for code in contradicted
        for row, _ in results[code]
    ]
    kept = [(row, each) for row, each in statements if row.code not in contradicted or not _permits(row.placed, each)]
    return kept, errors


def _permits(placed: RowTarget | None, statement: RowStatement) -> bool:
    outcome = SHEET_OUTCOMES[placed.kind].outcome(str(statement.fields.get("outcome_code"))) if placed else None
    return statement.part == RESULT and outcome is not None and outcome.permits


def _line(intake: Intake, partner: RegisteredPartner, row: _Row, statement: RowStatement) -> ReadyLine:
    """Returns the line as a signal. Its id depends on the row and the content, so a repetition has the same id."""
    placed, master = row.placed, intake.keys.master
    if placed:
        code, line_id = placed.row_code, sheets.line_id_of(master, placed, statement.part, statement.fields)
        source = {"referral_token": placed.token, "sheet_id": str(placed.sheet_id)}
    else:
        code = row.written_code
        line_id = sheets.unknown_line_id(master, partner.partner_id, code, statement.fields)
        source = {"referral_token": f"no sheet has this row: {code[:32]}"}  # stored: a repetition must be the same
    fields = {**statement.fields, **source, "signal_id": str(line_id), "partner_id": partner.partner_id}
    return ReadyLine(row.line.row, code, statement.part, line_id, fields, placed)


def _valid_lines(lines: Sequence[ReadyLine]) -> tuple[tuple[ReadyLine, ...], list[RowError]]:
    """Returns the lines that can be submitted, the persons' own statements first, and the errors of the others."""
    invalid = {each.line_id: flaws for each in lines if (flaws := schema_errors(ReceivePartnerSignal, each.fields))}
    valid = [each for each in lines if each.line_id not in invalid]
    errors = [
        RowError(each.row, each.part, str(flaw.value or ""), flaw.message, "correct the row and submit the sheet again")
        for each in lines
        for flaw in invalid.get(each.line_id, ())
    ]
    return tuple(sorted(valid, key=lambda each: each.part == RESULT)), errors


async def _name_mismatches(intake: Intake, listing: TableFile, ready: Iterable[ReadyLine]) -> list[RowError]:
    """Reports a person's own statement in a row with another person's name: the hold may be on the wrong case."""
    errors = []
    for each in ready:
        if each.placed and each.part in STATEMENT_COLUMNS and await _has_other_name(intake, each):
            name = str(each.fields["subject_check"]["given_name"])
            errors.append(
                RowError(
                    each.row, listing.headings.get("given_names", "given_names"), name,
                    "the row code belongs to a person with another name",
                    "check the paper now: find the person who made the statement, and enter it in that person's row",
                )
            )  # fmt: skip
    return errors


async def _has_other_name(intake: Intake, each: ReadyLine) -> bool:
    if each.placed is None or "subject_check" not in each.fields:
        return False
    try:
        case = (await replay(intake.pool, intake.keys, each.placed.stream_id)).state
    except UnknownStreamError:
        return False
    return isinstance(case, Case) and identity_mismatch(case, ReceivePartnerSignal.model_validate(each.fields))


# Submitting


async def collect_sheet(
    intake: Intake, checked: CheckedSheet, user: str, on_progress: OnProgress | None = None
) -> tuple[list[LineResult], list[RowError]]:
    """Submits every line. Each is committed before the next, so an interrupted run can be repeated and completed."""
    results, errors = list[LineResult](), list[RowError]()
    for count, each in enumerate(checked.ready, 1):
        answer = await intake.partners.submit(
            checked.partner.partner_id, str(each.line_id), each.fields, actor=f"staff:{user}"
        )
        results.append(
            LineResult(each.row, each.code, each.part, answer.message_id, answer.status, answer.repeated, answer.result)
        )
        if each.placed and await sheets.note_line(intake.pool, each.line_id, each.code, each.part, answer.message_id):
            errors += _superseded(each)
        if on_progress:
            on_progress(count, len(checked.ready))
    return results, errors


def _superseded(each: ReadyLine) -> list[RowError]:
    """Returns the error for a result that was submitted, then corrected, and is now submitted again.

    Without it, such a result would look like a repetition.
    """
    if each.part != RESULT:
        return []
    code = str(each.fields.get("outcome_code") or each.fields.get("signal_type") or "")
    result = RESULTS[code].en if code in RESULTS else code
    problem = "the same result was submitted before, and has been replaced by another result since"
    todo = "if it is right after all, write today's date beside it and submit the sheet again"
    return [RowError(each.row, RESULT, result, problem, todo)]


async def settled(intake: Intake, lines: Sequence[LineResult], seconds: float) -> list[LineResult]:
    """Returns the lines with their outcomes. Waits up to ``seconds`` for lines that are still pending."""
    outcomes = await until_settled(intake, [each.message_id for each in lines], seconds)
    return [
        replace(each, status=outcome.status, result=outcome.result)
        if (outcome := outcomes.get(each.message_id))
        else each
        for each in lines
    ]


def counted(lines: Iterable[LineResult]) -> dict[str, int]:
    """Returns the number of lines by status."""
    return dict(sorted(Counter(each.status for each in lines).items()))
