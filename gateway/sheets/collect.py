"""Bringing a sheet in: each row becomes what its partner says, once, with a result of its own.

Staff put it in, the partner said it: every line is handed in as the partner's signal with the hand that wrote it as its
actor. What is wrong with a row is said at once, to whoever can look at the paper; the other rows go on.
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
from domain.referral.sheets import ANSWERS, CELLS, NOTE, RESULT, STATEMENT_COLUMNS, read_code
from domain.signals.handler import mismatched
from gateway.intake.service import Intake
from gateway.intake.validation import schema_errors
from gateway.sheets.issue import until_settled
from gateway.sheets.row_parser import CODE, RowContext, RowStatement, clean, form, read_row
from gateway.tabular.files import RowError, TableFile, TableRow, read_bytes
from store.partners import sheets
from store.partners.registry import RegisteredPartner
from store.partners.sheets import RowTarget
from store.postgres.clock import now

Told = Callable[[int, int], object]

FILLED: Final = (RESULT, *CELLS, NOTE, *STATEMENT_COLUMNS)

STRANGE: Final = "this code is on no sheet of this partner"

COMPARE: Final = "compare it with the paper; take the partner's own sheet"

FINE: Final = frozenset({"applied", "ignored", "late"})
"""What has become of a line about which nobody has to do anything."""


@dataclass(frozen=True, slots=True)
class ReadyLine:
    """A line that can be handed in. ``placed`` is missing when its code is nobody's."""

    row: int
    code: str
    part: str
    line_id: UUID
    fields: dict[str, Any]
    placed: RowTarget | None


@dataclass(frozen=True, slots=True)
class CheckedSheet:
    """A sheet, checked. ``ready`` are in the order in which they are handed in: the persons' own words first."""

    partner: RegisteredPartner
    rows: int
    ready: tuple[ReadyLine, ...]
    bad: tuple[RowError, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LineResult:
    """What has become of one line: ``applied``, ``ignored``, ``late``, ``quarantined``, ``refused`` or under way."""

    row: int
    row_code: str
    part: str
    message_id: UUID
    status: str
    repeated: bool
    result: Mapping[str, Any] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """As it is told: neutral words, and whatever the rule said."""
        told = {"row": self.row, "row_code": self.row_code, "part": self.part, "status": self.status}
        why = {name: value for name, value in self.result.items() if name not in ("status", "version")}
        return {**told, **why, "message_id": str(self.message_id), "repeated": self.repeated}


def read_sheet(name: str, raw: bytes) -> TableFile:
    """The rows of a sheet's file. Raises ``Unusable``."""
    return read_bytes(name, raw, form(NEWEST.in_force.sheet_rows))


# Checking


@dataclass(frozen=True, slots=True)
class _Row:
    """A row in which something is filled in, and what its code stands for."""

    line: TableRow
    code: str | None
    placed: RowTarget | None
    ours: bool

    @property
    def written(self) -> str:
        return clean(self.line.cells.get(CODE, ""))


Saying = tuple[_Row, RowStatement]


async def check(intake: Intake, partner: RegisteredPartner, listing: TableFile) -> CheckedSheet:
    """Read every row and find out whom it speaks of. Nothing is handed in."""
    at = await now(intake.pool)
    zone = Partner(partner.partner_id, partner.kinds, partner.country).calendar.zone
    rows = await _rows(intake, partner, listing)
    said, bad = list[Saying](), list[RowError]()
    for row in rows:
        found, wrong = _read(row, listing, at, zone)
        said += [(row, each) for each in found]
        bad += wrong
    said, disputed = _without_contradictions(said, listing)
    ready, flawed = _sorted_out([_ready(intake, partner, row, each) for row, each in said])
    bad += [*disputed, *flawed, *await _other_people(intake, listing, ready)]
    return CheckedSheet(partner, len(rows), ready, tuple(sorted(bad, key=lambda each: each.row)), listing.notes)


async def _rows(intake: Intake, partner: RegisteredPartner, listing: TableFile) -> list[_Row]:
    filled = [line for line in listing.lines if any(clean(line.cells.get(column, "")) for column in FILLED)]
    codes = [read_code(line.cells.get(CODE, "")) for line in filled]
    known = await sheets.placed(intake.pool, filter(None, codes))
    found = [(line, code, known.get(code or "")) for line, code in zip(filled, codes, strict=True)]
    return [
        _Row(line, code, placed, placed is not None and placed.partner_id == partner.partner_id)
        for line, code, placed in found
    ]


def _read(row: _Row, listing: TableFile, at: datetime, zone: timezone) -> tuple[list[RowStatement], list[RowError]]:
    """What a row says. Of one that is nobody's here only the person's own word is kept, for a person to look at."""
    if row.ours and row.placed:
        about = RowContext(row.placed.kind, row.placed.issued_at, at.astimezone(zone).date(), zone)
        return read_row(row.line, listing.headings, about)
    since = row.placed.issued_at if row.placed else NEVER  # the same again must read the same again
    found, _ = read_row(
        row.line, listing.headings, RowContext(next(iter(ANSWERS)), since, at.astimezone(zone).date(), zone)
    )
    return [each for each in found if each.part in STATEMENT_COLUMNS], [_strange(row, listing)]


def _strange(row: _Row, listing: TableFile) -> RowError:
    """A code that is nobody's; the same is said of another partner's, which is none of this one's business."""
    problem = STRANGE if row.code else "there is no row code" if not row.written else "a sign of the row code is wrong"
    return RowError(row.line.row, listing.headings.get(CODE, CODE), row.written, problem, COMPARE)


def _without_contradictions(said: Sequence[Saying], listing: TableFile) -> tuple[list[Saying], list[RowError]]:
    """Two rows of one code that say different things: what permits is taken from neither."""
    results = defaultdict[str | None, list[Saying]](list)
    for row, each in said:
        if each.part == RESULT:
            results[row.code].append((row, each))
    disputed = {code for code, found in results.items() if any(each.fields != found[0][1].fields for _, each in found)}
    heading, todo = listing.headings.get(CODE, CODE), "find out which row is right, and take the other one out"
    bad = [
        RowError(row.line.row, heading, row.written, "this code stands in two rows that disagree", todo)
        for code in disputed
        for row, _ in results[code]
    ]
    return [(row, each) for row, each in said if row.code not in disputed or not _permits(row.placed, each)], bad


def _permits(placed: RowTarget | None, said: RowStatement) -> bool:
    outcome = ANSWERS[placed.kind].outcome(str(said.fields.get("outcome_code"))) if placed else None
    return said.part == RESULT and outcome is not None and outcome.permits


def _ready(intake: Intake, partner: RegisteredPartner, row: _Row, said: RowStatement) -> ReadyLine:
    """The line as a signal, under an id that the same words in the same row have again."""
    placed, master = row.placed, intake.keys.master
    if placed:
        code, line_id = placed.row_code, sheets.line_id_of(master, placed, said.part, said.fields)
        about = {"referral_token": placed.token, "sheet_id": str(placed.sheet_id)}
    else:
        code, line_id = row.written, sheets.strange_line_id(master, partner.partner_id, row.written, said.fields)
        about = {"referral_token": f"no sheet has this row: {code[:32]}"}
    fields = {**said.fields, **about, "signal_id": str(line_id), "partner_id": partner.partner_id}
    return ReadyLine(row.line.row, code, said.part, line_id, fields, placed)


def _sorted_out(lines: Sequence[ReadyLine]) -> tuple[tuple[ReadyLine, ...], list[RowError]]:
    """The lines that can be handed in, the persons' own words first, and what is wrong with the others."""
    flawed = {each.line_id: flaws for each in lines if (flaws := schema_errors(ReceivePartnerSignal, each.fields))}
    good = [each for each in lines if each.line_id not in flawed]
    bad = [
        RowError(each.row, each.part, str(flaw.value or ""), flaw.message, "correct the row and bring it in again")
        for each in lines
        for flaw in flawed.get(each.line_id, ())
    ]
    return tuple(sorted(good, key=lambda each: each.part == RESULT)), bad


async def _other_people(intake: Intake, listing: TableFile, ready: Iterable[ReadyLine]) -> list[RowError]:
    """A person's own word in a row whose name is not theirs: it holds somebody back, and perhaps not the right one."""
    found = []
    for each in ready:
        if each.placed and each.part in STATEMENT_COLUMNS and await _is_somebody_else(intake, each):
            name = str(each.fields["subject_check"]["given_name"])
            found.append(
                RowError(
                    each.row, listing.headings.get("given_names", "given_names"), name,
                    "the code of this row stands for somebody of another name",
                    "look at the paper now: find who said it, and bring it in beside their own code",
                )
            )  # fmt: skip
    return found


async def _is_somebody_else(intake: Intake, each: ReadyLine) -> bool:
    if each.placed is None or "subject_check" not in each.fields:
        return False
    try:
        case = (await replay(intake.pool, intake.keys, each.placed.stream_id)).state
    except UnknownStreamError:
        return False
    return isinstance(case, Case) and mismatched(case, ReceivePartnerSignal.model_validate(each.fields))


# Handing in


async def collect_sheet(
    intake: Intake, checked: CheckedSheet, user: str, told: Told | None = None
) -> tuple[list[LineResult], list[RowError]]:
    """Hand every line in. Each is committed before the next: stopped half-way, the same again brings the rest."""
    brought, bad = list[LineResult](), list[RowError]()
    for count, each in enumerate(checked.ready, 1):
        answer = await intake.partners.submit(
            checked.partner.partner_id, str(each.line_id), each.fields, actor=f"staff:{user}"
        )
        brought.append(
            LineResult(each.row, each.code, each.part, answer.message_id, answer.status, answer.repeated, answer.result)
        )
        if each.placed and await sheets.note_line(intake.pool, each.line_id, each.code, each.part, answer.message_id):
            bad += _superseded(each)
        if told:
            told(count, len(checked.ready))
    return brought, bad


def _superseded(each: ReadyLine) -> list[RowError]:
    """What was corrected and is now said again is told apart from what is only sent twice."""
    if each.part != RESULT:
        return []
    problem = "the same was brought in before, and something else in its place since"
    todo = "if it is right after all, write the date of today beside it and bring it in again"
    return [RowError(each.row, RESULT, str(each.fields.get("outcome_code") or ""), problem, todo)]


async def settled(intake: Intake, brought: Sequence[LineResult], seconds: float) -> list[LineResult]:
    """The same lines with what has become of them, after at most so many seconds."""
    found = await until_settled(intake, [each.message_id for each in brought], seconds)
    return [
        replace(each, status=became.status, result=became.result) if (became := found.get(each.message_id)) else each
        for each in brought
    ]


def counted(brought: Iterable[LineResult]) -> dict[str, int]:
    """How many lines became what."""
    return dict(sorted(Counter(each.status for each in brought).items()))
