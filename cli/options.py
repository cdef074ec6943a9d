"""Options and parameter types that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.intake.staff import USER
from gateway.intake.strict_json import parse_object

Command = TypeVar("Command", bound=Callable[..., Any])

OPERATOR = "operator"


class TimeParam(click.ParamType[datetime]):
    """A date, or a date and time. Without a time zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time; write it as 2026-11-23 or 2026-11-23T08:30:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class DateParam(click.ParamType[date]):
    """A date."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a date; write it as 2026-11-24", param, ctx)


def valid_user(_context: click.Context, _option: click.Parameter, name: str) -> str:
    """Returns a user name. Raises ``BadParameter`` when it has characters that user names may not have."""
    if not USER.fullmatch(name):
        rule = "use up to 64 letters, digits, dots, hyphens, underscores or @, without spaces"
        raise click.BadParameter(f"{name!r} is not a user name; {rule}")
    return name


def as_json(command: Command) -> Command:
    """Adds ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(command)


def acting(command: Command) -> Command:
    """Adds the options of commands that send a message: user, reason, time, idempotency key, waiting time."""
    for option in (
        click.option("--no-wait", is_flag=True, help="Submit without waiting for the result."),
        click.option("--wait", type=click.FloatRange(0, 600), default=10.0, show_default=True, metavar="SECONDS",
                     help="Maximum time to wait for the result."),
        click.option("--key", metavar="KEY", help="Idempotency key: a repeated key has no further effect."),
        click.option("--happened-at", type=TimeParam(), metavar="TIME", help="Time of the action (default: now)."),
        click.option("--reason", metavar="TEXT", help="Reason, stored with the message."),
        click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Acting user."),
    ):  # fmt: skip
        command = option(command)
    return command


def looking(command: Command) -> Command:
    """Adds the options of commands that show an earlier state."""
    for option in (
        click.option("--to", type=click.IntRange(0), metavar="VERSION", help="Show the state at this version."),
        click.option("--known-at", type=TimeParam(), metavar="TIME", help="Use only what was recorded by this time."),
        click.option("--as-of", type=TimeParam(), metavar="TIME", help="Use only what had happened by this time."),
    ):
        command = option(command)
    return command


def read_object(source: str | None) -> dict[str, Any]:
    """Returns the JSON object in a file, or on standard input for ``-``; an empty object without a source."""
    if source is None:
        return {}
    if source == "-":
        return parse_object(sys.stdin.buffer.read())
    path = Path(source)
    if not path.is_file():
        raise click.BadParameter(f"there is no file {source!r}; give the path of a file, or - for standard input")
    return parse_object(path.read_bytes())
