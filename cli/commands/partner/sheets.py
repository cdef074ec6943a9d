"""``awda partner sheet``: issue a sheet to a partner, and collect the completed sheet row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import rich_click as click

from cli.commands.evidence import attachment_json, content_store
from cli.context import CommandContext, run_with_context
from cli.options import OPERATOR, as_json, valid_user
from cli.output import CommandError, ExitCode, emit, log, print_fields, print_table, progress_bar
from cli.submission import status_label
from domain.kernel.policy import NEWEST
from domain.referral.sheets import SHEETS, SheetKind
from gateway.intake.evidence import AttachmentReceipt, EvidenceDetails, attach
from gateway.intake.submission import DeclinedError
from gateway.sheets.collect import FINE, CheckedSheet, LineResult, check, collect_sheet, counted, read_sheet, settled
from gateway.sheets.issue import SheetIssue, issue_sheet, registered
from gateway.sheets.rendering import WRITTEN
from gateway.sheets.translations import LANGUAGES
from gateway.tabular.files import RowError, UnusableFileError
from store.partners import sheets

ERROR_COLUMNS: Final = ("row", "column", "value", "problem", "todo")

INCOMPLETE: Final = frozenset({"NOT_RECORDED_YET"})
"""Why a case is left out that would be listed later."""


@click.group()
def sheet() -> None:
    """Issue sheets to partners, and collect completed sheets."""


# Issue


@sheet.command("out", epilog="Example: `awda partner sheet out embassy-nga --sheet embassy-session --out session.xlsx`")
@click.argument("partner_id", metavar="PARTNER")
@click.option("--sheet", "kind", required=True, type=click.Choice([each.value for each in SheetKind]),
              help="Kind of sheet.")  # fmt: skip
@click.option("--out", "file", required=True, type=click.Path(path_type=Path, dir_okay=False),
              help="File to write: .xlsx or .csv to fill in, .html to print.")  # fmt: skip
@click.option("--flight", metavar="MOVEMENT", help="List only passengers of this movement.")
@click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True,
              help="Language of the sheet.")  # fmt: skip
@click.option("--as", "user", default=OPERATOR, show_default=True, callback=valid_user, help="Acting user.")
@click.option("--wait", type=click.FloatRange(0, 600), default=30.0, show_default=True, metavar="SECONDS",
              help="Maximum time to wait until every case has recorded it.")  # fmt: skip
@as_json
def out(
    *, partner_id: str, kind: str, file: Path, flight: str | None, language: Any, user: str, wait: float, as_json: bool
) -> None:  # fmt: skip
    """Issue a sheet: the referrals that may be listed today, with the minimum data and a code for each row.

    Every case records the disclosure before the file is written.
    """
    writer = WRITTEN.get(file.suffix.lower().removeprefix("."))
    if writer is None:
        raise click.BadParameter(f"{file.name!r} must end in .xlsx, .csv or .html", param_hint="--out")

    async def work(context: CommandContext) -> SheetIssue:
        return await issue_sheet(
            context.intake, partner_id, SheetKind(kind), user=user, language=language,
            movement=flight.strip().upper() if flight else None, seconds=wait,
        )  # fmt: skip

    found = run_with_context(work)
    file.write_bytes(writer(found.page))
    file.chmod(0o600)
    left_out = [asdict(each) for each in found.left_out]
    result = {"sheet_id": str(found.page.sheet.sheet_id), "rows": len(found.page.rows), "left_out": left_out}
    emit(result | {"file": str(file)}, as_json=as_json, plain=lambda: _print_issue(found, file))
    if any(each.rule in INCOMPLETE for each in found.left_out):
        raise CommandError(
            ExitCode.PARTLY,
            "Some cases were not recorded in time and are not on the sheet.",
            "run the same command again",
        )


def _print_issue(found: SheetIssue, file: Path) -> None:
    personal = "It contains personal data: give it to the partner, then delete the file."
    empty = "The partner has no open referral for this kind of sheet that may be disclosed now."
    click.echo(f"{file}: {len(found.page.rows)} rows. {personal if found.page.rows else empty}")
    if found.left_out:
        log(f"{len(found.left_out)} cases are not on the sheet:")
        print_table(("case", "reason"), [[each.number, each.rule] for each in found.left_out])


# Collect


@dataclass
class CollectResult:
    """The result of collecting a sheet."""

    checked: CheckedSheet
    lines: list[LineResult] = field(default_factory=list)
    bad: list[RowError] = field(default_factory=list)
    known: int = 0
    scanned: list[AttachmentReceipt] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return not self.bad and all(each.status in FINE for each in self.lines)

    def json(self, *, dry_run: bool) -> dict[str, Any]:
        result = {"rows": self.checked.rows, "bad": [asdict(each) for each in self.bad]}
        if dry_run:
            return {**result, "would_hand_in": len(self.checked.ready), "already": self.known}
        lines = [each.json() for each in self.lines]
        scans = [attachment_json(each) for each in self.scanned]
        return {**result, "counts": counted(self.lines), "lines": lines, "scan": scans}


@sheet.command("in", epilog="Example: `awda partner sheet in session.xlsx --partner embassy-nga --scan session.pdf`")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--partner", "partner_id", required=True, metavar="PARTNER", help="Partner that completed the sheet.")
@click.option("--as", "user", default=OPERATOR, show_default=True, callback=valid_user, help="Acting user.")
@click.option("--scan", type=click.Path(path_type=Path, dir_okay=False, exists=True),
              help="Scan of the signed sheet (image or PDF); stored encrypted in each case concerned.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Check the sheet without saving anything.")
@click.option("--wait", type=click.FloatRange(0, 600), default=30.0, show_default=True, metavar="SECONDS",
              help="Maximum time to wait until every line is recorded.")  # fmt: skip
@as_json
def collect(
    *, file: Path, partner_id: str, user: str, scan: Path | None, dry_run: bool, wait: float, as_json: bool
) -> None:  # fmt: skip
    """Collect a completed sheet (.xlsx, .csv, .json). Each row is processed once and has its own result.

    Statements of the persons are processed first. After an interruption, run the same command again: it continues.
    Collecting the same sheet again has no effect; a corrected row is a new entry.
    """
    request = CollectRequest(file, partner_id, user, scan, wait, dry_run)
    raw = request.read()
    found = run_with_context(lambda context: _collect(context, request, raw))
    emit(found.json(dry_run=dry_run), as_json=as_json, plain=lambda: _print_collected(found, dry_run=dry_run))
    if not found.done:
        rows = {each.row for each in found.bad} | {each.row for each in found.lines if each.status not in FINE}
        todo = "correct these rows and collect the file again; recorded rows are skipped"
        raise CommandError(ExitCode.PARTLY, f"{len(rows)} of {found.checked.rows} rows need attention.", todo)


@dataclass(frozen=True, slots=True)
class CollectRequest:
    """The arguments of ``awda partner sheet in``."""

    file: Path
    partner_id: str
    user: str
    scan: Path | None
    wait: float
    dry_run: bool

    def read(self) -> bytes:
        if not self.file.is_file():
            raise CommandError(ExitCode.USAGE, f"There is no file {self.file}.", "check the name and the folder")
        if self.file.stat().st_size > NEWEST.in_force.sheet_bytes:
            raise UnusableFileError(f"{self.file.name} is larger than {NEWEST.in_force.sheet_bytes:,} bytes: divide it")
        return self.file.read_bytes()


async def _collect(context: CommandContext, request: CollectRequest, raw: bytes) -> CollectResult:
    partner = await registered(context.intake, request.partner_id)
    checked = await check(context.intake, partner, read_sheet(request.file.name, raw))
    for note in checked.notes:
        log(note)
    found = CollectResult(checked, bad=list(checked.bad))
    if request.dry_run:
        found.known = len(await sheets.known(context.pool, [each.line_id for each in checked.ready]))
        return found
    with progress_bar("Submitting", len(checked.ready)) as progress:
        found.lines, errors = await collect_sheet(context.intake, checked, request.user, progress)
    found.bad += errors
    if request.scan:
        await _attach_scan(context, request.scan, request.user, found)
    with progress_bar("Recording"):
        found.lines = sorted(await settled(context.intake, found.lines, request.wait), key=lambda each: each.row)
    return found


async def _attach_scan(context: CommandContext, scan: Path, user: str, found: CollectResult) -> None:
    """Attaches the scan. An error in the scan is reported beside the lines and does not affect them."""
    try:
        found.scanned = await _attach(context, found.checked, scan, user)
    except DeclinedError as declined:
        todo = "attach it separately: awda case attach CASE FILE"
        found.bad.append(RowError(0, "scan", scan.name, declined.detail, todo))


async def _attach(context: CommandContext, checked: CheckedSheet, scan: Path, user: str) -> list[AttachmentReceipt]:
    """Attaches the scan to the cases that were answered, encrypted for every person named on the sheet."""
    attached = []
    placed = [each.placed for each in checked.ready if each.placed]
    own = [each for each in placed if each.partner_id == checked.partner.partner_id]
    for sheet_id in dict.fromkeys(each.sheet_id for each in own):
        issued = await sheets.sheet(context.pool, sheet_id)
        cases = list(dict.fromkeys(each.stream_id for each in own if each.sheet_id == sheet_id))
        holders = await sheets.cases_on(context.pool, [sheet_id])
        about = EvidenceDetails(scan.name[-120:], None, SHEETS[issued.kind].compartment if issued else "GEN", sheet_id)
        store = content_store(context)
        with scan.open("rb") as opened:
            attached += await attach(context.intake, store, opened, about, holders=holders, cases=cases, user=user)
    return attached


def _print_collected(found: CollectResult, *, dry_run: bool) -> None:
    if dry_run:
        print_fields(
            {"rows": found.checked.rows, "lines to submit": len(found.checked.ready), "already recorded": found.known}
        )
    else:
        results = counted(found.lines).items()
        summary = ", ".join(f"{count} {status_label(status)}" for status, count in results) or "no result"
        scans = f"; scan attached to {len(found.scanned)} cases" if found.scanned else ""
        click.echo(f"{found.checked.rows} rows, {len(found.lines)} lines: {summary}{scans}.")
        unsettled = [each for each in found.lines if each.status not in FINE]
        rows = [[each.row, each.part, status_label(each.status), _reason(each)] for each in unsettled]
        if rows:
            print_table(("row", "part", "result", "reason"), rows)
    _print_errors(found.bad)


def _reason(each: LineResult) -> str:
    return " ".join(str(each.result.get(name)) for name in ("rule", "cause", "detail") if each.result.get(name))


def _print_errors(bad: Sequence[RowError]) -> None:
    rows = [[getattr(each, name) for name in ERROR_COLUMNS] for each in bad]
    if rows:
        print_table(("row", "column", "value", "error", "correction"), rows)
