"""Sheets: hand one out to a partner, and bring it in again, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import rich_click as click

from cli.commands.evidence import attached_as_json, content_store
from cli.context import CommandContext, run_with_context
from cli.options import OPERATOR, as_json
from cli.output import CommandError, ExitCode, emit, log, print_fields, print_table, progress_bar
from domain.kernel.policy import NEWEST
from domain.referral.sheets import SHEETS, SheetKind
from gateway.intake.evidence import AttachmentReceipt, EvidenceDetails, attach
from gateway.intake.staff import USER
from gateway.intake.submission import DeclinedError
from gateway.sheets.collect import FINE, CheckedSheet, LineResult, check, collect_sheet, counted, read_sheet, settled
from gateway.sheets.issue import SheetIssue, issue_sheet, registered
from gateway.sheets.rendering import WRITTEN
from gateway.sheets.translations import LANGUAGES
from gateway.tabular.files import RowError, UnusableFileError
from store.partners import sheets

BAD_COLUMNS: Final = ("row", "column", "value", "problem", "todo")

UNLISTED: Final = frozenset({"NOT_RECORDED_YET"})


def acting_user(_context: click.Context, _option: click.Parameter, name: str) -> str:
    if not USER.fullmatch(name):
        raise click.BadParameter(f"{name!r} is no user's name")
    return name


@click.group()
def sheet() -> None:
    """Sheets: one out to a partner, one back filled in."""


# Out


@sheet.command("out", epilog="Example: `awda partner sheet out embassy-nga --sheet embassy-session --out session.xlsx`")
@click.argument("partner_id", metavar="PARTNER")
@click.option("--sheet", "kind", required=True, type=click.Choice([each.value for each in SheetKind]))
@click.option("--out", "file", required=True, type=click.Path(path_type=Path, dir_okay=False),
              help="Where to write it: .xlsx to fill in, .csv, or .html to print.")  # fmt: skip
@click.option("--flight", metavar="MOVEMENT", help="Only who has a seat on this movement.")
@click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True)
@click.option("--as", "user", default=OPERATOR, show_default=True, callback=acting_user, help="Who hands it out.")
@click.option("--wait", type=click.FloatRange(0, 600), default=30.0, show_default=True, metavar="SECONDS",
              help="How long to wait until it is recorded in every case.")  # fmt: skip
@as_json
def out(
    *, partner_id: str, kind: str, file: Path, flight: str | None, language: Any, user: str, wait: float, as_json: bool
) -> None:  # fmt: skip
    """Hand a sheet out: whoever may be listed today, with the minimum the partner needs, and a code in each row.

    What it tells is recorded in every case before it is written.
    """
    writer = WRITTEN.get(file.suffix.lower().removeprefix("."))
    if writer is None:
        raise click.BadParameter(f"{file.name} is none of .xlsx, .csv, .html", param_hint="--out")

    async def work(context: CommandContext) -> SheetIssue:
        return await issue_sheet(
            context.intake, partner_id, SheetKind(kind), user=user, language=language,
            movement=flight.strip().upper() if flight else None, seconds=wait,
        )  # fmt: skip

    found = run_with_context(work)
    file.write_bytes(writer(found.page))
    file.chmod(0o600)
    left_out = [asdict(each) for each in found.left_out]
    told = {"sheet_id": str(found.page.sheet.sheet_id), "rows": len(found.page.rows), "left_out": left_out}
    emit(told | {"file": str(file)}, as_json=as_json, plain=lambda: _tell_out(found, file))
    if any(each.rule in UNLISTED for each in found.left_out):
        raise CommandError(
            ExitCode.PARTLY, "Not every case was recorded in time, so not everybody is on it.", "the same again"
        )


def _tell_out(found: SheetIssue, file: Path) -> None:
    naming = "It names people: hand it to the partner, and delete it here."
    nobody = "Nobody is on it: nothing that stands on this sheet is open with this partner, or may be told to it now."
    click.echo(f"{file}: {len(found.page.rows)} rows. {naming if found.page.rows else nobody}")
    if found.left_out:
        log(f"{len(found.left_out)} are left out, because their partner may be told nothing now:")
        print_table(("case", "rule"), [[each.number, each.rule] for each in found.left_out])


# In


@dataclass
class CollectResult:
    """What became of a sheet."""

    checked: CheckedSheet
    lines: list[LineResult] = field(default_factory=list)
    bad: list[RowError] = field(default_factory=list)
    known: int = 0
    scanned: list[AttachmentReceipt] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return not self.bad and all(each.status in FINE for each in self.lines)

    def json(self, *, dry_run: bool) -> dict[str, Any]:
        told = {"rows": self.checked.rows, "bad": [asdict(each) for each in self.bad]}
        if dry_run:
            return {**told, "would_hand_in": len(self.checked.ready), "already": self.known}
        lines = [each.json() for each in self.lines]
        scans = [attached_as_json(each) for each in self.scanned]
        return {**told, "counts": counted(self.lines), "lines": lines, "scan": scans}


@sheet.command("in", epilog="Example: `awda partner sheet in session.xlsx --partner embassy-nga --scan session.pdf`")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--partner", "partner_id", required=True, metavar="PARTNER", help="Whose sheet it is.")
@click.option("--as", "user", default=OPERATOR, show_default=True, callback=acting_user, help="Who brings it in.")
@click.option("--scan", type=click.Path(path_type=Path, dir_okay=False, exists=True),
              help="The signed sheet as a picture or PDF; kept sealed in each case it concerns.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@click.option("--wait", type=click.FloatRange(0, 600), default=30.0, show_default=True, metavar="SECONDS",
              help="How long to wait until every line is recorded.")  # fmt: skip
@as_json
def bring(
    *, file: Path, partner_id: str, user: str, scan: Path | None, dry_run: bool, wait: float, as_json: bool
) -> None:  # fmt: skip
    """Bring a filled sheet in (.xlsx, .csv, .json). Each row is taken once, and has a result of its own.

    What the persons themselves say goes first. Stopped half-way, the same command brings the rest; the same sheet again
    changes nothing, and a corrected row is a new fact.
    """
    asked = CollectRequest(file, partner_id, user, scan, wait, dry_run)
    raw = asked.read()
    found = run_with_context(lambda context: _bring(context, asked, raw))
    emit(found.json(dry_run=dry_run), as_json=as_json, plain=lambda: _tell_in(found, dry_run=dry_run))
    if not found.done:
        rows = {each.row for each in found.bad} | {each.row for each in found.lines if each.status not in FINE}
        todo = "correct those rows and bring the file in again; what is in already stays as it is"
        raise CommandError(ExitCode.PARTLY, f"{len(rows)} of {found.checked.rows} rows need somebody.", todo)


@dataclass(frozen=True, slots=True)
class CollectRequest:
    """What is to be brought in, for whom, by whom."""

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
            raise UnusableFileError(f"{self.file.name} is larger than a sheet can be: divide it")
        return self.file.read_bytes()


async def _bring(context: CommandContext, asked: CollectRequest, raw: bytes) -> CollectResult:
    partner = await registered(context.intake, asked.partner_id)
    checked = await check(context.intake, partner, read_sheet(asked.file.name, raw))
    for note in checked.notes:
        log(note)
    found = CollectResult(checked, bad=list(checked.bad))
    if asked.dry_run:
        found.known = len(await sheets.known(context.pool, [each.line_id for each in checked.ready]))
        return found
    with progress_bar("Bringing in", len(checked.ready)) as shown:
        found.lines, more = await collect_sheet(context.intake, checked, asked.user, shown)
    found.bad += more
    if asked.scan:
        await _attach_scan(context, asked.scan, asked.user, found)
    with progress_bar("Recording"):
        found.lines = sorted(await settled(context.intake, found.lines, asked.wait), key=lambda each: each.row)
    return found


async def _attach_scan(context: CommandContext, scan: Path, user: str, found: CollectResult) -> None:
    """The lines are in whatever becomes of the scan; what is wrong with it is told beside them."""
    try:
        found.scanned = await _attach(context, found.checked, scan, user)
    except DeclinedError as no:
        found.bad.append(RowError(0, "scan", scan.name, no.detail, "attach it by itself: awda case attach CASE FILE"))


async def _attach(context: CommandContext, checked: CheckedSheet, scan: Path, user: str) -> list[AttachmentReceipt]:
    """For the cases that were answered, under the keys of everybody whose name is on the paper."""
    attached = []
    placed = [each.placed for each in checked.ready if each.placed]
    ours = [each for each in placed if each.partner_id == checked.partner.partner_id]
    for sheet_id in dict.fromkeys(each.sheet_id for each in ours):
        issued = await sheets.sheet(context.pool, sheet_id)
        cases = list(dict.fromkeys(each.stream_id for each in ours if each.sheet_id == sheet_id))
        holders = await sheets.everybody_on(context.pool, [sheet_id])
        about = EvidenceDetails(scan.name[-120:], None, SHEETS[issued.kind].compartment if issued else "GEN", sheet_id)
        store = content_store(context)
        with scan.open("rb") as opened:
            attached += await attach(context.intake, store, opened, about, holders=holders, cases=cases, user=user)
    return attached


def _tell_in(found: CollectResult, *, dry_run: bool) -> None:
    if dry_run:
        print_fields(
            {"rows": found.checked.rows, "would be handed in": len(found.checked.ready), "of these known": found.known}
        )
    else:
        became = ", ".join(f"{count} {status}" for status, count in counted(found.lines).items()) or "nothing"
        scans = f"; the scan is in {len(found.scanned)} cases" if found.scanned else ""
        click.echo(f"{found.checked.rows} rows, {len(found.lines)} lines: {became}{scans}.")
        doubtful = [each for each in found.lines if each.status not in FINE]
        rows = [[each.row, each.part, each.status, _why(each)] for each in doubtful]
        if rows:
            print_table(("row", "what", "became", "why"), rows)
    _tell_bad(found.bad)


def _why(each: LineResult) -> str:
    return " ".join(str(each.result.get(name)) for name in ("rule", "cause", "detail") if each.result.get(name))


def _tell_bad(bad: Sequence[RowError]) -> None:
    rows = [[getattr(each, name) for name in BAD_COLUMNS] for each in bad]
    if rows:
        print_table(("row", "column", "value", "problem", "what to do"), rows)
