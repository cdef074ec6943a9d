"""``awda import``: starts a case for each row of a registration list; importing the list again starts none twice."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import rich_click as click

from cli.context import CommandContext, run_with_context
from cli.errors import START
from cli.options import OPERATOR, as_json, valid_user
from cli.output import CommandError, ExitCode, emit, log, print_table, progress_bar
from cli.registration_import import ImportResult, message_of, start_all
from cli.registration_list import CheckedList, Defaults, check_list
from cli.registration_vocabulary import CHANNELS
from gateway.tabular.cells import UnclearCellError, word
from gateway.tabular.files import RowError
from store.postgres.clock import now


@click.group("import")
def import_group() -> None:
    """Import registration lists."""


@import_group.command("cases", epilog="Example: `awda import cases samples/registrations.csv --dry-run`")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check the list without saving anything.")
@click.option("--office", metavar="NAME", help="Office for rows without one.")
@click.option("--channel", metavar="CHANNEL", help="Intake channel for rows without one.")
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Acting user.",
              callback=valid_user)  # fmt: skip
@as_json
def import_cases(
    *, file: Path, dry_run: bool, office: str | None, channel: str | None, user: str, as_json: bool
) -> None:  # fmt: skip
    """Import a registration list (.csv, .xlsx, .json): start a case for each valid row.

    Rows with errors are reported with column, value and correction; the other rows are imported. The same list can be
    imported again: registered rows are skipped, corrected rows are added.
    """
    defaults = Defaults(office, _channel(channel))
    found = (
        _dry_run(file, defaults)
        if dry_run
        else run_with_context(lambda context: _import(context, file, defaults, user))
    )
    emit(found.json(), as_json=as_json, plain=lambda: _print(found, dry_run=dry_run))
    if found.bad:
        todo = "correct these rows and import the file again; registered rows are skipped"
        raise CommandError(
            ExitCode.PARTLY, f"{_count(found.bad)} of {found.rows} rows have errors and are not imported.", todo
        )


def _channel(text: str | None) -> str | None:
    try:
        return word(text, CHANNELS, "channel") if text else None
    except UnclearCellError as unclear:
        raise click.BadParameter(str(unclear), param_hint="--channel") from None


async def _import(context: CommandContext, file: Path, defaults: Defaults, user: str) -> ImportResult:
    checked = check_list(file, (await now(context.pool)).date(), defaults)
    _log_notes(checked)
    with progress_bar("Importing", len(checked.good)) as progress:
        return await start_all(context.intake, checked, user, progress)


# Dry run


def _dry_run(file: Path, defaults: Defaults) -> ImportResult:
    try:
        return run_with_context(lambda context: _compare(context, file, defaults))
    except CommandError as failed:
        if failed.exit_code != ExitCode.DOWN:
            raise
    log(f"Awda is not running in this home, so registered rows cannot be recognised. To include them: {START}")
    checked = check_list(file, datetime.now(UTC).date(), defaults)
    _log_notes(checked)
    return _expected(checked, set())


async def _compare(context: CommandContext, file: Path, defaults: Defaults) -> ImportResult:
    checked = check_list(file, (await now(context.pool)).date(), defaults)
    _log_notes(checked)
    ids = {message_of(context.keys.master, each): each.row for each in checked.good}
    rows = await context.pool.fetch("SELECT message_id FROM inbox WHERE message_id = ANY ($1)", list(ids))
    known = {row["message_id"] for row in rows}
    return _expected(checked, {each.row for each in checked.good if message_of(context.keys.master, each) in known})


def _expected(checked: CheckedList, known: set[int]) -> ImportResult:
    seen: set[bytes] = set()
    result = ImportResult(checked.rows, list(checked.bad))
    for each in checked.good:
        again = each.row in known or each.identity in seen
        seen.add(each.identity)
        result.already += again
        result.started += not again
    return result


# Output


def _log_notes(checked: CheckedList) -> None:
    for note in checked.notes:
        log(note)


def _print(found: ImportResult, *, dry_run: bool) -> None:
    counts = f"{_count(found.bad)} rows with errors, {found.already} already registered, {found.started} new"
    click.echo(f"{counts} (dry run, nothing was saved)." if dry_run else f"{counts}.")
    if found.bad:
        columns = ("row", "column", "value", "problem", "todo")
        print_table(
            ("row", "column", "value", "error", "correction"),
            [[getattr(each, name) for name in columns] for each in found.bad],
        )


def _count(bad: Iterable[RowError]) -> int:
    return len({each.row for each in bad})
