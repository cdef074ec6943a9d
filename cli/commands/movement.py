"""Flights: plan one, tell it something, read where it stands."""

from __future__ import annotations

from typing import Any

import rich_click as click

from audit.case_view import show
from audit.history import history
from cli.case_text import tell_history
from cli.context import CommandContext, run_with_context
from cli.options import acting, as_json, looking, read_object
from cli.output import CommandError, ExitCode, emit, print_fields, print_table
from cli.submission import SubmissionOptions, submit
from cli.tables import movements


@click.group()
def movement() -> None:
    """Flights: plan, tell, read."""


@movement.command("start", epilog="Example: `awda movement start flight.json`")
@click.argument("file")
@acting
@as_json
def plan(*, file: str, as_json: bool, **how: Any) -> None:
    """Plan a movement with the fields of PlanMovement in FILE; its number is among them."""
    fields = read_object(file)
    number = fields.get("number")
    if fields.pop("message", "PlanMovement") != "PlanMovement" or not isinstance(number, str):
        raise CommandError(
            ExitCode.USAGE, "A movement starts with PlanMovement and a number such as MOV-2026-LOS1.", "add them"
        )
    handing = SubmissionOptions(**how)
    submit(
        handing,
        lambda context, by: context.intake.staff.send(number, "PlanMovement", fields, **by),
        as_json=as_json,
        number_only=True,
    )


@movement.command("send", epilog="Example: `awda movement send MOV-2026-LOS1 FreezeManifest`")
@click.argument("number", metavar="MOVEMENT")
@click.argument("message")
@click.option("--data", metavar="FILE|-", help="The message's fields, a JSON object.")
@acting
@as_json
def send(*, number: str, message: str, data: str | None, as_json: bool, **how: Any) -> None:
    """Send a movement any of its messages, such as ConfirmMovement."""
    fields = read_object(data)
    submit(
        SubmissionOptions(**how),
        lambda context, by: context.intake.staff.send(number.upper(), message, fields, **by),
        as_json=as_json,
    )


@movement.command("list", epilog="Example: `awda movement list`")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@as_json
def list_movements(*, limit: int, as_json: bool) -> None:
    """List movements by departure."""
    found = run_with_context(lambda context: movements(context.pool, limit))
    columns = ("number", "status", "origin", "destination", "std", "capacity", "reserved", "waiting")
    emit(found, as_json=as_json, plain=lambda: print_table(columns, [[row[name] for name in columns] for row in found]))


@movement.command("show", epilog="Example: `awda movement show MOV-2026-LOS1`")
@click.argument("number", metavar="MOVEMENT")
@looking
@as_json
def show_movement(*, number: str, as_json: bool, **when: Any) -> None:
    """Where a movement stands, and who has a seat."""

    async def work(context: CommandContext) -> dict[str, Any]:
        return await show(context.pool, context.keys, await context.stream(number), **when)

    found = run_with_context(work)
    emit(found, as_json=as_json, plain=lambda: print_fields({**found, "seats": len(found["seats"])}))


@movement.command("history", epilog="Example: `awda movement history MOV-2026-LOS1`")
@click.argument("number", metavar="MOVEMENT")
@as_json
def show_history(*, number: str, as_json: bool) -> None:
    """What happened, oldest first."""

    async def work(context: CommandContext) -> list[dict[str, Any]]:
        return await history(context.pool, context.keys, await context.stream(number))

    found = run_with_context(work)
    emit(found, as_json=as_json, plain=lambda: tell_history(found))
