"""Whether everything agrees, and how to put right what may be put right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import rich_click as click
from temporalio.client import Client

from audit.rehydrate import rehydrate as ring_all
from audit.verification.report import Report
from audit.verification.verify import verify as look
from cli.commands.evidence import content_store
from cli.context import CommandContext, run_with_context
from cli.options import as_json
from cli.output import CommandError, ExitCode, ProgressDisplay, emit, log, print_table, progress_bar
from cli.tables import tables
from store.projections.rebuild import RebuildResult, count_events, rebuild
from workers.temporal_client import connect


@click.command(epilog="Example: `awda verify --case LBY-2026-000001 --json`")
@click.option("--case", "number", metavar="CASE", help="Only this case.")
@as_json
def verify(*, number: str | None, as_json: bool) -> None:
    """Compare the log, its chain and keys, the messages, the read tables and the workflows.

    Ends with 0 when clean, 6 with findings, 7 when a part could not be looked at.
    """
    with progress_bar("Verifying") as shown:
        report = run_with_context(lambda context: _verified(context, number, shown))
    emit(report.as_json(), as_json=as_json, plain=lambda: _tell(report))
    if report.result == "findings":
        raise CommandError(
            ExitCode.UNVERIFIED, f"{len(report.findings)} findings.", "awda case history CASE, for each case named"
        )
    if report.result == "not_checked":
        raise CommandError(
            ExitCode.DOWN, f"Not everything was looked at: {'; '.join(report.unchecked)}.", "awda doctor"
        )


async def _verified(context: CommandContext, number: str | None, shown: ProgressDisplay) -> Report:
    stream = await context.stream(number) if number else None
    files = content_store(context)
    return await look(context.pool, context.keys, await _temporal(context), case=stream, progress=shown, files=files)


async def _temporal(context: CommandContext) -> Client | None:
    if context.temporal_address is None:
        return None
    try:
        return await connect(context.temporal_address, context.settings.temporal_namespace)
    except (OSError, RuntimeError):
        return None


def _tell(report: Report) -> None:
    counted = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in sorted(report.checked.items()))
    click.echo(f"{report.result}: {counted}")
    print_table(("case", "kind", "finding"), [[each.case, each.kind, each.detail] for each in report.findings])


@click.command(epilog="Example: `awda rehydrate`")
@as_json
def rehydrate(*, as_json: bool) -> None:
    """Start the workflow of every open case and movement again, from the log. Harmless to those that run."""

    async def work(context: CommandContext) -> int:
        client = await _temporal(context)
        if client is None:
            raise CommandError(ExitCode.DOWN, "Temporal does not answer.", "awda doctor")
        return await ring_all(context.pool, client, progress=shown)

    with progress_bar("Waking cases") as shown:
        rung = run_with_context(work)
    emit({"rung": rung}, as_json=as_json, plain=lambda: click.echo(f"{rung} streams were woken."))


@click.group()
def projection() -> None:
    """The read tables: see and rebuild them."""


@projection.command("list", epilog="Example: `awda projection list`")
@as_json
def list_projections(*, as_json: bool) -> None:
    """The read tables, and how far behind the log each is."""
    found = run_with_context(lambda context: tables(context.pool))
    columns = ("name", "position", "behind", "updated_at")
    emit(found, as_json=as_json, plain=lambda: print_table(columns, [[row[name] for name in columns] for row in found]))


@projection.command("rebuild", epilog="Example: `awda projection rebuild case_list --shadow`")
@click.argument("name")
@click.option("--shadow", is_flag=True, help="Build beside the living table, compare, and only then replace it.")
@as_json
def rebuild_projection(*, name: str, shadow: bool, as_json: bool) -> None:
    """Build a read table anew from the log."""
    with progress_bar(f"Rebuilding {name}") as shown:
        found = run_with_context(lambda context: _rebuilt(context, name, shown, shadow=shadow))
    told: dict[str, Any] = asdict(found) | ({"equal": found.equal} if shadow else {})
    emit(told, as_json=as_json, plain=lambda: click.echo(_sentence(found, shadow=shadow)))
    if shadow and not found.equal:
        log("What differed was put right. `awda verify` tells whether anything else does.")


async def _rebuilt(context: CommandContext, name: str, shown: ProgressDisplay, *, shadow: bool) -> RebuildResult:
    total = await count_events(context.pool)
    counted: Callable[[int], object] = lambda done: shown(done, total)  # noqa: E731
    return await rebuild(context.pool, name, shadow=shadow, progress=counted)


def _sentence(found: RebuildResult, *, shadow: bool) -> str:
    done = f"{found.name}: {found.rows} rows from {found.events} events"
    if not shadow:
        return f"{done}."
    return f"{done}; {found.missing} were missing, {found.extra} too many, {found.different} different."
