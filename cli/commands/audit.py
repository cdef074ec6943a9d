"""``awda verify``, ``awda rehydrate`` and ``awda projection``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

import rich_click as click
from temporalio.client import Client

from audit.rehydrate import rehydrate as wake_all
from audit.verification.report import Report
from audit.verification.verify import verify as verify_all
from cli.case_text import minute
from cli.commands.evidence import content_store
from cli.context import CommandContext, run_with_context
from cli.options import as_json
from cli.output import CommandError, ExitCode, ProgressDisplay, emit, log, print_table, progress_bar
from cli.tables import tables
from store.projections.rebuild import RebuildResult, count_events, rebuild
from workers.temporal_client import connect


@click.command(epilog="Example: `awda verify --case LBY-2026-000001 --json`")
@click.option("--case", "number", metavar="CASE", help="Verify this case only.")
@as_json
def verify(*, number: str | None, as_json: bool) -> None:
    """Verify the log, its hash chain and keys, messages, read tables and workflows against each other.

    Exit codes: 0 when everything agrees, 6 with findings, 7 when a part could not be checked.
    """
    with progress_bar("Verifying") as progress:
        report = run_with_context(lambda context: _verify(context, number, progress))
    emit(report.as_json(), as_json=as_json, plain=lambda: _print(report))
    if report.result == "findings":
        raise CommandError(
            ExitCode.UNVERIFIED, f"Verification failed: {len(report.findings)} findings.", "awda case history CASE"
        )
    if report.result == "not_checked":
        raise CommandError(ExitCode.DOWN, f"Verification is incomplete: {'; '.join(report.unchecked)}.", "awda doctor")


async def _verify(context: CommandContext, number: str | None, progress: ProgressDisplay) -> Report:
    stream = await context.stream(number) if number else None
    files = content_store(context)
    temporal = await _temporal(context)
    return await verify_all(context.pool, context.keys, temporal, case=stream, progress=progress, files=files)


async def _temporal(context: CommandContext) -> Client | None:
    if context.temporal_address is None:
        return None
    try:
        return await connect(context.temporal_address, context.settings.temporal_namespace)
    except (OSError, RuntimeError):
        return None


COUNTED: Final = {
    "acknowledged": "acknowledged messages",
    "by_hand": "pending manual deliveries",
    "in_doubt": "messages held for review",
    "inbox": "incoming messages",
    "outbox": "outgoing messages",
    "rows_shown": "rows in read tables",
    "strays": "messages without a case",
    "under_way": "messages in progress",
}
"""What a verification counts, where the key of the count is not a plain word."""

RESULTS: Final = {"clean": "Clean", "findings": "Findings", "not_checked": "Incomplete"}


def _print(report: Report) -> None:
    counted = ", ".join(
        f"{count} {COUNTED.get(name) or name.replace('_', ' ')}" for name, count in sorted(report.checked.items())
    )
    click.echo(f"{RESULTS[report.result]}. Checked: {counted}.")
    print_table(("case", "kind", "finding"), [[each.case, each.kind, each.detail] for each in report.findings])


@click.command(epilog="Example: `awda rehydrate`")
@as_json
def rehydrate(*, as_json: bool) -> None:
    """Restart the workflows of all open cases and movements from the log. Running workflows are not affected."""

    async def work(context: CommandContext) -> int:
        client = await _temporal(context)
        if client is None:
            raise CommandError(ExitCode.DOWN, "The Temporal server does not respond.", "awda doctor")
        return await wake_all(context.pool, client, progress=progress)

    with progress_bar("Restarting workflows") as progress:
        count = run_with_context(work)
    emit({"rung": count}, as_json=as_json, plain=lambda: click.echo(f"Notified {count} workflows."))


@click.group()
def projection() -> None:
    """List and rebuild read tables."""


@projection.command("list", epilog="Example: `awda projection list`")
@as_json
def list_projections(*, as_json: bool) -> None:
    """List the read tables, with the number of events each is behind the log."""
    found = run_with_context(lambda context: tables(context.pool))
    headings = ("name", "position", "events behind", "updated at")
    rows = [[row["name"], row["position"], row["behind"], minute(row["updated_at"])] for row in found]
    emit(found, as_json=as_json, plain=lambda: print_table(headings, rows, none="No read table is registered."))


@projection.command("rebuild", epilog="Example: `awda projection rebuild case_list --shadow`")
@click.argument("name")
@click.option("--shadow", is_flag=True, help="Build a second table, compare both, then replace the first.")
@as_json
def rebuild_projection(*, name: str, shadow: bool, as_json: bool) -> None:
    """Rebuild a read table from the log."""
    with progress_bar(f"Rebuilding {name}") as progress:
        result = run_with_context(lambda context: _rebuild(context, name, progress, shadow=shadow))
    data: dict[str, Any] = asdict(result) | ({"equal": result.equal} if shadow else {})
    emit(data, as_json=as_json, plain=lambda: click.echo(_summary(result, shadow=shadow)))
    if shadow and not result.equal:
        log("The differences were corrected. Run awda verify to check everything else.")


async def _rebuild(context: CommandContext, name: str, progress: ProgressDisplay, *, shadow: bool) -> RebuildResult:
    total = await count_events(context.pool)
    counted: Callable[[int], object] = lambda done: progress(done, total)  # noqa: E731
    return await rebuild(context.pool, name, shadow=shadow, progress=counted)


def _summary(found: RebuildResult, *, shadow: bool) -> str:
    done = f"{found.name}: {found.rows} rows from {found.events} events"
    if not shadow:
        return f"{done}."
    return f"{done}; {found.missing} rows were missing, {found.extra} superfluous, {found.different} different."
