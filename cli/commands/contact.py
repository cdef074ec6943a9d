"""``awda contact``: log callback requests, list them, and record calls and their outcome."""

from __future__ import annotations

from typing import Any, get_args

import rich_click as click

from audit.case_view import show
from cli.case_text import minute
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
    """Manage callback requests."""


@contact.command("add", epilog="Example: `awda contact add '+218 91 000 0000' --language ha --channel HOTLINE`")
@click.argument("phone")
@click.option("--language", required=True, metavar="CODE", help="Language of the call, such as ha (Hausa).")
@click.option("--name", help="Name the person wishes to be called by.")
@click.option("--note", help="When it is safe to call.")
@click.option("--channel", type=click.Choice(get_args(Channel)), default="OFFICE", show_default=True,
              help="How the request reached IOM.")  # fmt: skip
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Acting user.")
@click.option("--key", metavar="KEY", help="Idempotency key: a repeated key has no further effect.")
@as_json
def add_contact(
    *, phone: str, language: str, name: str | None, note: str | None, channel: str, user: str, key: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Log a callback request, and print its number."""
    number = telephone(phone)
    if number is None:
        rule = "use the international format, for example +218912345678"
        raise click.BadParameter(f"{phone!r} is not a telephone number; {rule}", param_hint="PHONE")
    given = {"phone": number, "language": language, "channel": channel, "given_name": name, "note": note}
    fields = {name: value for name, value in given.items() if value is not None}

    async def work(context: CommandContext) -> CallRequestReceipt:
        return await request_call(context.intake, fields, key=key or new_key(), user=user)

    receipt = run_with_context(work)
    emit(
        {"number": receipt.number, "due": receipt.due.isoformat()},
        as_json=as_json,
        plain=lambda: click.echo(receipt.number),
    )


@contact.command("list", epilog="Example: `awda contact list`")
@as_json
def list_contacts(*, as_json: bool) -> None:
    """List open callback requests, earliest due date first."""

    async def work(context: CommandContext) -> list[dict[str, Any]]:
        heads = await open_streams(context.pool, "contact")
        found = [await show(context.pool, context.keys, head.stream_id) for head in heads if head.version]
        return sorted(found, key=lambda each: str(each["due"]))

    found = run_with_context(work)
    headings = ("request", "due", "overdue", "attempts", "language", "name", "phone", "note")
    none = "No callback request is open."
    emit(found, as_json=as_json, plain=lambda: print_table(headings, map(_cells, found), none=none))


def _cells(row: dict[str, Any]) -> list[Any]:
    overdue = "yes" if row["overdue"] else "no"
    rest = [row[name] for name in ("tries", "language", "given_name", "phone", "note")]
    return [row["number"], minute(row["due"]), overdue, *rest]


@contact.command("tried", epilog="Example: `awda contact tried CON-2026-000001 NO_ANSWER`")
@click.argument("number", metavar="REQUEST")
@click.argument("result", type=click.Choice(get_args(Result)))
@acting
@as_json
def tried(*, number: str, result: str, as_json: bool, **how: Any) -> None:
    """Record an unsuccessful call."""
    _send(number, "RecordContactTry", {"result": result}, as_json=as_json, **how)


@contact.command("done", epilog="Example: `awda contact done CON-2026-000001 REACHED`")
@click.argument("number", metavar="REQUEST")
@click.argument("outcome", type=click.Choice(get_args(Outcome)))
@click.option("--note", help="Note on the outcome; stored encrypted.")
@acting
@as_json
def done(*, number: str, outcome: str, note: str | None, as_json: bool, **how: Any) -> None:
    """Close a callback request with its outcome."""
    fields = {"outcome": outcome} | ({"note": note} if note else {})
    _send(number, "EndContact", fields, as_json=as_json, **how)


def _send(number: str, message: str, fields: dict[str, Any], *, as_json: bool, **how: Any) -> None:
    request = number.strip().upper()
    if not request.startswith("CON-"):
        raise CommandError(ExitCode.NOT_FOUND, f"There is no callback request {number!r}.", "awda contact list")
    submit(
        SubmissionOptions(**how),
        lambda context, by: context.intake.staff.send(request, message, fields, **by),
        as_json=as_json,
    )
