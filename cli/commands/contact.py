"""Requests to be called: who asks, until when somebody calls, and what came of it."""

from __future__ import annotations

from typing import Any, get_args

import rich_click as click

from audit.case_view import show
from cli.context import CommandContext, run_with_context
from cli.options import OPERATOR, acting, as_json
from cli.output import CommandError, ExitCode, emit, print_table
from cli.submission import SubmissionOptions, submit
from domain.call_request import Channel, Outcome, Result
from gateway.intake.call_requests import CallRequestReceipt, request_call
from gateway.intake.submission import new_key
from gateway.pages.forms import telephone
from store.log.streams import open_streams


@click.group()
def contact() -> None:
    """People who ask to be called."""


@contact.command("add", epilog="Example: `awda contact add '+218 91 000 0000' --language ha --channel HOTLINE`")
@click.argument("phone")
@click.option("--language", required=True, metavar="CODE", help="Language for the call, such as ha.")
@click.option("--name", help="What to call the person.")
@click.option("--note", help="When a call is safe.")
@click.option("--channel", type=click.Choice(get_args(Channel)), default="OFFICE", show_default=True)
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Who takes it down.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same key is taken once.")
@as_json
def add_contact(
    *, phone: str, language: str, name: str | None, note: str | None, channel: str, user: str, key: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Take down that somebody asks to be called, and print the request's number."""
    number = telephone(phone)
    if number is None:
        raise click.BadParameter("write it with the country's code, such as +218 91 000 0000", param_hint="PHONE")
    told = {"phone": number, "language": language, "channel": channel, "given_name": name, "note": note}
    fields = {name: value for name, value in told.items() if value is not None}

    async def work(context: CommandContext) -> CallRequestReceipt:
        return await request_call(context.intake, fields, key=key or new_key(), user=user)

    taken = run_with_context(work)
    emit(
        {"number": taken.number, "due": taken.due.isoformat()},
        as_json=as_json,
        plain=lambda: click.echo(taken.number),
    )


@contact.command("list", epilog="Example: `awda contact list`")
@as_json
def list_contacts(*, as_json: bool) -> None:
    """Who waits for a call, longest first."""

    async def work(context: CommandContext) -> list[dict[str, Any]]:
        heads = await open_streams(context.pool, "contact")
        found = [await show(context.pool, context.keys, head.stream_id) for head in heads if head.version]
        return sorted(found, key=lambda each: str(each["due"]))

    found = run_with_context(work)
    columns = ("number", "due", "overdue", "tries", "language", "given_name", "phone", "note")
    emit(found, as_json=as_json, plain=lambda: print_table(columns, [[row[name] for name in columns] for row in found]))


@contact.command("tried", epilog="Example: `awda contact tried CON-2026-000001 NO_ANSWER`")
@click.argument("number", metavar="REQUEST")
@click.argument("result", type=click.Choice(get_args(Result)))
@acting
@as_json
def tried(*, number: str, result: str, as_json: bool, **how: Any) -> None:
    """Record a call that did not succeed."""
    _tell(number, "RecordContactTry", {"result": result}, as_json=as_json, **how)


@contact.command("done", epilog="Example: `awda contact done CON-2026-000001 REACHED`")
@click.argument("number", metavar="REQUEST")
@click.argument("outcome", type=click.Choice(get_args(Outcome)))
@click.option("--note", help="A word about it; sealed.")
@acting
@as_json
def done(*, number: str, outcome: str, note: str | None, as_json: bool, **how: Any) -> None:
    """Settle a request: reached, a case was started, not reached, not wanted any more, or asked twice."""
    fields = {"outcome": outcome} | ({"note": note} if note else {})
    _tell(number, "EndContact", fields, as_json=as_json, **how)


def _tell(number: str, message: str, fields: dict[str, Any], *, as_json: bool, **how: Any) -> None:
    called = number.strip().upper()
    if not called.startswith("CON-"):
        raise CommandError(ExitCode.NOT_FOUND, f"{number!r} is no request to be called.", "awda contact list")
    submit(
        SubmissionOptions(**how),
        lambda context, by: context.intake.staff.send(called, message, fields, **by),
        as_json=as_json,
    )
