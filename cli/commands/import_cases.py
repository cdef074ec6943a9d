"""``awda import``: starts a case for each row of a registration list; importing the list again starts none twice."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import rich_click as click

from cli.context import CommandContext, run_with_context
from cli.errors import START
from cli.options import OPERATOR, as_json, valid_user
from cli.output import CommandError, ExitCode, emit, log, print_table, progress_bar
from cli.registration_duplicates import Registration
from cli.registration_import import ImportResult, compare_all, start_all
from cli.registration_list import CheckedList, Choices, Defaults, Interpretation, check_rows, interpret
from cli.registration_preview import preview_json, sentences
from cli.registration_report import save_report
from cli.registration_vocabulary import CHANNELS
from gateway.tabular.cells import DateOrder, UnclearCellError, word
from gateway.tabular.model import RowError
from store.postgres.clock import now


@click.group("import")
def import_group() -> None:
    """Import registration lists."""


@import_group.command("cases", epilog="Example: `awda import cases samples/registrations.csv --dry-run`")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check the list without saving anything. The default on a terminal.")
@click.option("--yes", is_flag=True, help="Import the list. Needed on a terminal only.")
@click.option("--office", metavar="NAME", help="Office for rows without one.")
@click.option("--channel", metavar="CHANNEL", help="Intake channel for rows without one.")
@click.option("--date-order", type=click.Choice([order.value for order in DateOrder]),
              help="Order of day and month, if the list does not show it.")  # fmt: skip
@click.option("--ignore-column", "ignored", multiple=True, metavar="HEADING",
              help="Unknown column to leave out: its heading, or its letter without one. Repeatable.")  # fmt: skip
@click.option("--not-duplicate", "distinct", multiple=True, type=click.IntRange(1), metavar="ROW",
              help="Row that describes another person than the row that it resembles. Repeatable.")  # fmt: skip
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.xlsx",
              help="Save the rows with their outcomes and errors. The file contains personal data.")  # fmt: skip
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Acting user.",
              callback=valid_user)  # fmt: skip
@as_json
def import_cases(
    *, file: Path, dry_run: bool, yes: bool, office: str | None, channel: str | None, date_order: str | None,
    ignored: tuple[str, ...], distinct: tuple[int, ...], report: Path | None, user: str, as_json: bool,
) -> None:  # fmt: skip
    """Import a registration list (.csv, .xlsx, .json): start a case for each valid row.

    The list is read as a whole first, and nothing is imported while the meaning of a filled column or the order of day
    and month is not known. Rows with errors and suspected duplicates are reported with column, value and correction;
    the other rows are imported. The same list can be imported again: registered rows are skipped, corrected rows are
    added. Exit code 0 means that every row is registered, 8 that some rows need attention.
    """
    if dry_run and yes:
        raise click.UsageError("--dry-run and --yes exclude each other: leave one of them out")
    _require_report(file, report)
    only_check = dry_run or (on_terminal() and not yes)
    choices = Choices(DateOrder(date_order) if date_order else None, ignored, frozenset(distinct))
    found = interpret(file, choices)
    if not as_json and (only_check or on_terminal()):
        for line in sentences(found):
            log(line)
    request = ImportRequest(found, Defaults(office, _channel(channel)), user)
    found.require_clear()
    result = request.dry_run() if only_check else run_with_context(request.run)
    if report:
        save_report(report, result)
    data = {**result.json(), "dry_run": only_check, "preview": preview_json(found)}
    emit(data, as_json=as_json, plain=lambda: _print(result, dry_run=only_check))
    if only_check and not dry_run:
        log("To import the list, run the command again with --yes.")
    _require_no_attention(result)


def on_terminal() -> bool:
    """Returns whether a person uses the command, who can read the preview before the list is imported."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _channel(text: str | None) -> str | None:
    try:
        return word(text, CHANNELS, "channel") if text else None
    except UnclearCellError as unclear:
        raise click.BadParameter(str(unclear), param_hint="--channel") from None


def _require_report(file: Path, report: Path | None) -> None:
    if report is None:
        return
    if report.suffix.lower() != ".xlsx":
        raise click.BadParameter(f"{report.name} must end in .xlsx", param_hint="--report")
    if not report.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {report.parent}: create it first", param_hint="--report")
    if report.exists() and file.exists() and report.samefile(file):
        raise click.BadParameter("the report must not replace the list: choose another name", param_hint="--report")


def _require_no_attention(result: ImportResult) -> None:
    if not result.needs_attention:
        return
    counts = [(result.with_errors, "with errors"), (len(result.suspected), "suspected duplicates")]
    shown = " and ".join(f"{count} {what}" for count, what in counts if count)
    raise CommandError(
        ExitCode.PARTLY, f"{shown} of {result.rows} rows are not imported.",
        "correct these rows and import the file again; registered rows are skipped",
    )  # fmt: skip


# Import


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """A list that was interpreted, and how its rows are registered."""

    found: Interpretation
    defaults: Defaults
    user: str

    async def run(self, context: CommandContext) -> ImportResult:
        """Checks the rows and starts the cases."""
        checked = await self._checked(context)
        with progress_bar("Importing", len(checked.good)) as progress:
            return await start_all(context.intake, checked, self.user, progress)

    def dry_run(self) -> ImportResult:
        """Checks the rows, and compares them with the registered cases when Awda is running."""
        try:
            return run_with_context(self._compare)
        except CommandError as failed:
            if failed.exit_code != ExitCode.DOWN:
                raise
        log(f"Awda is not running in this home, so registered rows cannot be recognised. To include them: {START}")
        checked = check_rows(self.found, datetime.now(UTC).date(), self.defaults)
        _log_notes(checked)
        result = ImportResult.of(checked)
        return _with_new(result, [*checked.good, *(each.registration for each in checked.shared)])

    async def _compare(self, context: CommandContext) -> ImportResult:
        checked = await self._checked(context)
        result = ImportResult.of(checked)
        return _with_new(result, await compare_all(context.pool, context.keys.master, checked, result))

    async def _checked(self, context: CommandContext) -> CheckedList:
        checked = check_rows(self.found, (await now(context.pool)).date(), self.defaults)
        _log_notes(checked)
        return checked


def _with_new(result: ImportResult, new: Iterable[Registration]) -> ImportResult:
    """Returns the result of a dry run: as if the new rows were started."""
    shared = {each.registration.row: each.error for each in result.checked.shared}
    for each in new:
        if each.row in shared:
            result.bad.append(shared[each.row])
        else:
            result.add(each, None, already=False)
    result.sort()
    return result


# Output


def _log_notes(checked: CheckedList) -> None:
    for note in checked.notes:
        log(note)


def _print(found: ImportResult, *, dry_run: bool) -> None:
    suspected = f"{len(found.suspected)} suspected duplicates, " if found.suspected else ""
    counts = f"{found.with_errors} rows with errors, {suspected}{found.already} already registered, {found.started} new"
    click.echo(f"{counts} (dry run, nothing was saved)." if dry_run else f"{counts}.")
    reports: list[RowError] = sorted([*found.bad, *found.suspected], key=lambda each: each.row)
    if reports:
        columns = ("row", "column", "value", "problem", "todo")
        print_table(
            ("row", "column", "value", "error", "correction"),
            [[getattr(each, name) for name in columns] for each in reports],
        )
