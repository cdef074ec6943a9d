"""``awda case``: start cases, record actions on them, and show their state, history and explanation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import rich_click as click

from audit.case_view import show
from audit.explanation import why
from audit.history import history
from audit.replay import canonical, replay
from cli.case_text import country, minute, print_case, print_explanation, print_history
from cli.commands.evidence import attach_file, get_file
from cli.context import CommandContext, run_with_context
from cli.options import acting, as_json, looking, read_object
from cli.output import emit, print_table
from cli.submission import SubmissionOptions, submit
from cli.tables import cases
from domain.kernel.labels import label, requirement
from domain.kernel.vocabulary import HoldType, Phase


@click.group()
def case() -> None:
    """Start, update, show and explain cases."""


case.add_command(attach_file)

case.add_command(get_file)


@case.command(epilog="Example: `awda case start amina.json --as fatima`, or `-` for a JSON object on standard input")
@click.argument("file")
@acting
@as_json
def start(*, file: str, as_json: bool, **how: Any) -> None:
    """Start a case with the fields of RegisterCase in FILE (JSON), and print its number."""
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
@click.option("--data", metavar="FILE|-", help="Fields of the message, as a JSON object.")
@acting
@as_json
def send(*, number: str, message: str, data: str | None, as_json: bool, **how: Any) -> None:
    """Record an action on a case. MESSAGE is the name of a staff message, such as RecordConsent."""
    fields = read_object(data)
    submit(
        SubmissionOptions(**how),
        lambda context, by: context.intake.staff.send(number.upper(), message, fields, **by),
        as_json=as_json,
    )


@case.command("list", epilog="Example: `awda case list --phase PRE_DEPARTURE --json`")
@click.option("--phase", help="List only cases in this phase, such as PRE_DEPARTURE.")
@click.option(
    "--waiting-on", metavar="CODE", help="List only cases that wait for this code, or for a code that begins with it."
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Maximum number.")
@as_json
def list_cases(*, phase: str | None, waiting_on: str | None, limit: int, as_json: bool) -> None:
    """List cases by number."""
    found = run_with_context(lambda context: cases(context.pool, phase=phase, waiting_on=waiting_on, limit=limit))
    headings = ("case", "phase", "country of return", "waiting for", "holds", "next deadline", "movement")
    emit(found, as_json=as_json, plain=lambda: print_table(headings, map(_cells, found), none="No case matches."))


def _cells(row: dict[str, Any]) -> list[Any]:
    return [
        row["case_number"],
        label(Phase(row["phase"])),
        country(row["country_of_return"]),
        requirement(row["waiting_on"]),
        ", ".join(label(HoldType(hold)) for hold in row["holds"]),
        minute(row["next_deadline"]),
        row["movement"],
    ]


@case.command("show", epilog="Example: `awda case show LBY-2026-000001 --as-of 2026-11-01`")
@click.argument("number", metavar="CASE")
@looking
@as_json
def show_case(*, number: str, as_json: bool, **when: Any) -> None:
    """Show the state of a case: phase, stages, holds, clearances, referrals and requirements."""

    async def work(context: CommandContext) -> dict[str, Any]:
        return await show(context.pool, context.keys, await context.stream(number), **when)

    found = run_with_context(work)
    emit(found, as_json=as_json, plain=lambda: print_case(found))


@case.command("history", epilog="Example: `awda case history LBY-2026-000001`")
@click.argument("number", metavar="CASE")
@as_json
def show_history(*, number: str, as_json: bool) -> None:
    """Show the history of a case, oldest event first."""

    async def work(context: CommandContext) -> list[dict[str, Any]]:
        return await history(context.pool, context.keys, await context.stream(number))

    found = run_with_context(work)
    emit(found, as_json=as_json, plain=lambda: print_history(found))


@case.command("why", epilog="Example: `awda case why LBY-2026-000001`")
@click.argument("number", metavar="CASE")
@as_json
def show_why(*, number: str, as_json: bool) -> None:
    """Explain what a case waits for: since when, by which rule and event, and what happens next."""

    async def work(context: CommandContext) -> dict[str, Any]:
        return await why(context.pool, context.keys, await context.stream(number))

    found = run_with_context(work)
    emit(found, as_json=as_json, plain=lambda: print_explanation(found))


@case.command("replay", epilog="Example: `awda case replay LBY-2026-000001 --known-at 2026-11-01T12:00:00Z`")
@click.argument("number", metavar="CASE")
@looking
@click.option("--json", "_json", is_flag=True, help="No effect: the output is always JSON.")
def replay_case(*, number: str, as_of: datetime | None, known_at: datetime | None, to: int | None, _json: bool) -> None:
    """Rebuild a case from its log and print the state as canonical JSON, byte for byte reproducible."""

    async def work(context: CommandContext) -> bytes:
        stream = await context.stream(number)
        return canonical(
            (await replay(context.pool, context.keys, stream, as_of=as_of, known_at=known_at, to=to)).state
        )

    click.echo(run_with_context(work))
