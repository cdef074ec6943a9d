"""Cases: start one, tell it something, read where it stands, why, and how it came to that."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import rich_click as click

from audit.case_view import show
from audit.explanation import why
from audit.history import history
from audit.replay import canonical, replay
from cli.case_text import at, tell_case, tell_history, tell_why
from cli.commands.evidence import attach_file, get_file
from cli.context import CommandContext, run_with_context
from cli.options import acting, as_json, looking, read_object
from cli.output import emit, print_table
from cli.submission import SubmissionOptions, submit
from cli.tables import cases


@click.group()
def case() -> None:
    """Start, tell, read, explain and replay cases."""


case.add_command(attach_file)

case.add_command(get_file)


@case.command(epilog="Example: `awda case start amina.json --as fatima`, or a JSON object on standard input with `-`.")
@click.argument("file")
@acting
@as_json
def start(*, file: str, as_json: bool, **how: Any) -> None:
    """Open a case with the fields of RegisterCase in FILE, and print its number."""
    fields = read_object(file)
    name = fields.pop("message", "RegisterCase")
    submit(
        SubmissionOptions(**how),
        lambda context, by: context.intake.staff.start_case(fields, name=name, **by),
        as_json=as_json,
        number_only=True,
    )


@case.command(
    epilog='Example: `echo \'{"note": "asked for a call"}\' | awda case send LBY-2026-000001 AddNote --data -`'
)
@click.argument("number", metavar="CASE")
@click.argument("message")
@click.option("--data", metavar="FILE|-", help="The message's fields, a JSON object.")
@acting
@as_json
def send(*, number: str, message: str, data: str | None, as_json: bool, **how: Any) -> None:
    """Send a case any staff message by its name, such as RecordConsent."""
    fields = read_object(data)
    submit(
        SubmissionOptions(**how),
        lambda context, by: context.intake.staff.send(number.upper(), message, fields, **by),
        as_json=as_json,
    )


@case.command("list", epilog="Example: `awda case list --phase PRE_DEPARTURE --json`")
@click.option("--phase", help="Only cases in this phase.")
@click.option("--waiting-on", metavar="CODE", help="Only cases that wait for this, or for what begins like it.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@as_json
def list_cases(*, phase: str | None, waiting_on: str | None, limit: int, as_json: bool) -> None:
    """List cases by number, from the read table."""
    found = run_with_context(lambda context: cases(context.pool, phase=phase, waiting_on=waiting_on, limit=limit))
    columns = ("case_number", "phase", "country_of_return", "waiting_on", "holds", "next_deadline", "movement")

    def plain() -> None:
        rows = [[_cell(name, row[name]) for name in columns] for row in found]
        print_table([name.replace("_", " ") for name in columns], rows)

    emit(found, as_json=as_json, plain=plain)


def _cell(name: str, value: Any) -> Any:
    if name == "holds":
        return " ".join(value)
    return at(value) if name == "next_deadline" else value


@case.command("show", epilog="Example: `awda case show LBY-2026-000001 --as-of 2026-11-01`")
@click.argument("number", metavar="CASE")
@looking
@as_json
def show_case(*, number: str, as_json: bool, **when: Any) -> None:
    """Where a case stands: phase, stages, holds, clearances, referrals, and what it waits for."""

    async def work(context: CommandContext) -> dict[str, Any]:
        return await show(context.pool, context.keys, await context.stream(number), **when)

    found = run_with_context(work)
    emit(found, as_json=as_json, plain=lambda: tell_case(found))


@case.command("history", epilog="Example: `awda case history LBY-2026-000001`")
@click.argument("number", metavar="CASE")
@as_json
def show_history(*, number: str, as_json: bool) -> None:
    """What happened, oldest first: one sentence for each event."""

    async def work(context: CommandContext) -> list[dict[str, Any]]:
        return await history(context.pool, context.keys, await context.stream(number))

    found = run_with_context(work)
    emit(found, as_json=as_json, plain=lambda: tell_history(found))


@case.command("why", epilog="Example: `awda case why LBY-2026-000001`")
@click.argument("number", metavar="CASE")
@as_json
def show_why(*, number: str, as_json: bool) -> None:
    """What a case waits for, since when, because of which event and rule, and what happens next."""

    async def work(context: CommandContext) -> dict[str, Any]:
        return await why(context.pool, context.keys, await context.stream(number))

    found = run_with_context(work)
    emit(found, as_json=as_json, plain=lambda: tell_why(found))


@case.command("replay", epilog="Example: `awda case replay LBY-2026-000001 --known-at 2026-11-01T12:00:00Z`")
@click.argument("number", metavar="CASE")
@looking
@click.option("--json", "_json", is_flag=True, help="Always JSON; accepted for uniformity.")
def replay_case(*, number: str, as_of: datetime | None, known_at: datetime | None, to: int | None, _json: bool) -> None:
    """Fold a case anew from its log and print the state as canonical JSON: the same bytes each time."""

    async def work(context: CommandContext) -> bytes:
        stream = await context.stream(number)
        return canonical(
            (await replay(context.pool, context.keys, stream, as_of=as_of, known_at=known_at, to=to)).state
        )

    click.echo(run_with_context(work))
