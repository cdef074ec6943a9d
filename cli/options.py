"""Options that several commands share, and how what people type is read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.intake.strict_json import parse_object

Command = TypeVar("Command", bound=Callable[..., Any])

OPERATOR = "operator"


class TimeParam(click.ParamType[datetime]):
    """A moment: a date, or a date and time; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time: write 2026-11-23, or 2026-11-23T08:30:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class DateParam(click.ParamType[date]):
    """A day, by its date."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a date: write it like 2026-11-24", param, ctx)


def as_json(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def acting(command: Command) -> Command:
    """Who does it, why, since when; and how long to wait for what becomes of it."""
    for option in (
        click.option("--no-wait", is_flag=True, help="Hand it in and do not wait."),
        click.option("--wait", type=click.FloatRange(0, 600), default=10.0, show_default=True, metavar="SECONDS",
                     help="How long to wait until it has been recorded."),
        click.option("--key", metavar="KEY", help="Idempotency key: the same key never does a thing twice."),
        click.option("--happened-at", type=TimeParam(), metavar="TIME", help="When it happened, if not now."),
        click.option("--reason", metavar="TEXT", help="Why; kept with the message."),
        click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Who does it."),
    ):  # fmt: skip
        command = option(command)
    return command


def looking(command: Command) -> Command:
    """From which moment to look back."""
    for option in (
        click.option("--to", type=click.IntRange(0), metavar="VERSION", help="Only the first so many events."),
        click.option("--known-at", type=TimeParam(), metavar="TIME", help="Only what had been recorded by then."),
        click.option("--as-of", type=TimeParam(), metavar="TIME", help="Only what had happened by then."),
    ):
        command = option(command)
    return command


def read_object(source: str | None) -> dict[str, Any]:
    """The JSON object in a file, or on standard input for ``-``; without either, an empty one."""
    if source is None:
        return {}
    if source == "-":
        return parse_object(sys.stdin.buffer.read())
    path = Path(source)
    if not path.is_file():
        raise click.BadParameter(f"there is no file {source!r}; give a file, or - for standard input")
    return parse_object(path.read_bytes())
