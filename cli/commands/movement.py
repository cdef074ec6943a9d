"""``awda movement``: plan movements (flights), record actions on them, and show their state and history."""

from __future__ import annotations

from typing import Any, Final

import rich_click as click

from audit.case_view import show
from audit.history import history
from cli.case_text import minute, print_history
from cli.context import CommandContext, run_with_context
from cli.options import acting, as_json, looking, read_object
from cli.output import CommandError, ExitCode, emit, print_fields, print_table
from cli.submission import SubmissionOptions, submit
from cli.tables import movements
from domain.kernel.labels import words


@click.group()
def movement() -> None:
    """Plan, update and show movements (flights)."""


@movement.command("start", epilog="Example: `awda movement start flight.json`")
@click.argument("file")
@acting
@as_json
def plan(*, file: str, as_json: bool, **how: Any) -> None:
    """Plan a movement with the fields of PlanMovement in FILE (JSON), among them its number."""
    fields = read_object(file)
    number = fields.get("number")
    if fields.pop("message", "PlanMovement") != "PlanMovement" or not isinstance(number, str):
        raise CommandError(
            ExitCode.USAGE,
            "A movement is started with the message PlanMovement, with a number such as MOV-2026-LOS1.",
            'add "number" to the file',
        )
    submit(
        SubmissionOptions(**how),
        lambda context, by: context.intake.staff.send(number, "PlanMovement", fields, **by),
        as_json=as_json,
        number_only=True,
    )


@movement.command("send", epilog="Example: `awda movement send MOV-2026-LOS1 FreezeManifest`")
@click.argument("number", metavar="MOVEMENT")
@click.argument("message")
@click.option("--data", metavar="FILE|-", help="Fields of the message, as a JSON object.")
@acting
@as_json
def send(*, number: str, message: str, data: str | None, as_json: bool, **how: Any) -> None:
    """Record an action on a movement. MESSAGE is the name of a staff message, such as ConfirmMovement."""
    fields = read_object(data)
    submit(
        SubmissionOptions(**how),
        lambda context, by: context.intake.staff.send(number.upper(), message, fields, **by),
        as_json=as_json,
    )


@movement.command("list", epilog="Example: `awda movement list`")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Maximum number.")
@as_json
def list_movements(*, limit: int, as_json: bool) -> None:
    """List movements by scheduled departure."""
    found = run_with_context(lambda context: movements(context.pool, limit))
    headings = ("movement", "status", "origin", "destination", "departure", "capacity", "seats taken", "waiting list")
    none = "No movement is planned."
    emit(found, as_json=as_json, plain=lambda: print_table(headings, map(_cells, found), none=none))


def _cells(row: dict[str, Any]) -> list[Any]:
    route, seats = (row["origin"], row["destination"]), (row["capacity"], row["reserved"], row["waiting"])
    return [row["number"], words(row["status"]), *route, minute(row["std"]), *seats]


@movement.command("show", epilog="Example: `awda movement show MOV-2026-LOS1`")
@click.argument("number", metavar="MOVEMENT")
@looking
@as_json
def show_movement(*, number: str, as_json: bool, **when: Any) -> None:
    """Show the state of a movement and its seats."""

    async def work(context: CommandContext) -> dict[str, Any]:
        return await show(context.pool, context.keys, await context.stream(number), **when)

    found = run_with_context(work)
    emit(found, as_json=as_json, plain=lambda: _print(found))


def _print(found: dict[str, Any]) -> None:
    times = ("std", "sta", "atd", "next_deadline")
    print_fields({
        **{FIELDS.get(name, name): minute(value) if name in times else value for name, value in found.items()},
        "status": words(found["status"]),
        "seats": len(found["seats"]),
        "waiting": len(found["waiting"]),
    })  # fmt: skip


FIELDS: Final = {
    "number": "movement",
    "movement_id": "id",
    "std": "scheduled departure",
    "sta": "scheduled arrival",
    "atd": "actual departure",
    "next_deadline": "next deadline",
}
"""Names of fields for people, where they differ from the JSON keys."""


@movement.command("history", epilog="Example: `awda movement history MOV-2026-LOS1`")
@click.argument("number", metavar="MOVEMENT")
@as_json
def show_history(*, number: str, as_json: bool) -> None:
    """Show the history of a movement, oldest event first."""

    async def work(context: CommandContext) -> list[dict[str, Any]]:
        return await history(context.pool, context.keys, await context.stream(number))

    found = run_with_context(work)
    emit(found, as_json=as_json, plain=lambda: print_history(found))
