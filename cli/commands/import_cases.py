"""Bringing registration lists in: a case for each row, once, however often the list comes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import rich_click as click

from cli.context import CommandContext, run_with_context
from cli.errors import START
from cli.options import OPERATOR, as_json
from cli.output import CommandError, ExitCode, emit, log, print_table, progress_bar
from cli.registration_import import ImportResult, message_of, start_all
from cli.registration_list import CheckedList, Defaults, check_list
from cli.registration_vocabulary import CHANNELS
from gateway.intake.staff import USER
from gateway.tabular.cells import UnclearCellError, word
from gateway.tabular.files import RowError
from store.postgres.clock import now


@click.group("import")
def bring() -> None:
    """Bring in registration lists."""


@bring.command("cases", epilog="Example: `awda import cases samples/registrations.csv --dry-run`")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@click.option("--office", metavar="NAME", help="The office of every row that names none.")
@click.option("--channel", metavar="WORD", help="How people came, for every row that does not say.")
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Who brings it in.")
@as_json
def import_cases(
    *, file: Path, dry_run: bool, office: str | None, channel: str | None, user: str, as_json: bool
) -> None:  # fmt: skip
    """Start a case for each row of a registration list (.csv, .xlsx, .json).

    Rows with anything wrong are reported with their column, value and what to do, and the others are started.
    The same list again starts nothing twice; a corrected row starts the case it lacked.
    """
    if not USER.fullmatch(user):
        raise click.BadParameter(f"{user!r} is no user's name", param_hint="--as")
    defaults = Defaults(office, _channel(channel))
    found = (
        _only_looked_at(file, defaults)
        if dry_run
        else run_with_context(lambda context: _bring(context, file, defaults, user))
    )
    emit(found.json(), as_json=as_json, plain=lambda: _tell(found, dry_run=dry_run))
    if found.bad:
        todo = "correct those rows and import the file again; rows that are in already stay as they are"
        raise CommandError(
            ExitCode.PARTLY, f"{len({each.row for each in found.bad})} of {found.rows} rows are not in.", todo
        )


def _channel(text: str | None) -> str | None:
    try:
        return word(text, CHANNELS, "channel") if text else None
    except UnclearCellError as unclear:
        raise click.BadParameter(str(unclear), param_hint="--channel") from None


async def _bring(context: CommandContext, file: Path, defaults: Defaults, user: str) -> ImportResult:
    checked = check_list(file, (await now(context.pool)).date(), defaults)
    _remark(checked)
    with progress_bar("Importing", len(checked.good)) as shown:
        return await start_all(context.intake, checked, user, shown)


# Without starting anything


def _only_looked_at(file: Path, defaults: Defaults) -> ImportResult:
    try:
        return run_with_context(lambda context: _look(context, file, defaults))
    except CommandError as failed:
        if failed.exit_code != ExitCode.DOWN:
            raise
    log(f"Nothing runs from this home, so nobody can tell which rows are in already ({START} would).")
    checked = check_list(file, datetime.now(UTC).date(), defaults)
    _remark(checked)
    return _would_start(checked, set())


async def _look(context: CommandContext, file: Path, defaults: Defaults) -> ImportResult:
    checked = check_list(file, (await now(context.pool)).date(), defaults)
    _remark(checked)
    ids = {message_of(context.keys.master, each): each.row for each in checked.good}
    rows = await context.pool.fetch("SELECT message_id FROM inbox WHERE message_id = ANY ($1)", list(ids))
    known = {row["message_id"] for row in rows}
    return _would_start(checked, {each.row for each in checked.good if message_of(context.keys.master, each) in known})


def _would_start(checked: CheckedList, known: set[int]) -> ImportResult:
    seen: set[bytes] = set()
    brought = ImportResult(checked.rows, list(checked.bad))
    for each in checked.good:
        again = each.row in known or each.identity in seen
        seen.add(each.identity)
        brought.already += again
        brought.started += not again
    return brought


# Telling


def _remark(checked: CheckedList) -> None:
    for note in checked.notes:
        log(note)


def _tell(found: ImportResult, *, dry_run: bool) -> None:
    would = "would be started" if dry_run else "started"
    click.echo(
        f"{found.rows} rows: {found.started} {would}, {found.already} in already, {_count(found.bad)} not right."
    )
    if found.bad:
        columns = ("row", "column", "value", "problem", "todo")
        print_table(
            ("row", "column", "value", "problem", "what to do"),
            [[getattr(b, name) for name in columns] for b in found.bad],
        )


def _count(bad: Iterable[RowError]) -> int:
    return len({each.row for each in bad})
