"""Output of commands: data to stdout, messages to stderr, colours and progress bars only on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from functools import cache
from typing import IO, TYPE_CHECKING, Any, Protocol

import click

if TYPE_CHECKING:
    from rich.console import Console

Row = Sequence[object]


class ProgressDisplay(Protocol):
    """Shows how many items are done, of how many, with a note."""

    def __call__(self, done: int, total: int | None = None, note: str = "") -> object: ...


class ExitCode(IntEnum):
    """Exit codes of commands."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    CONFLICT = 5
    UNVERIFIED = 6
    DOWN = 7
    PARTLY = 8
    INTERRUPTED = 130


class CommandError(click.ClickException):
    """Ends a command with an exit code, an error message and a next step."""

    def __init__(self, code: ExitCode, why: str, todo: str = "") -> None:
        super().__init__(why)
        setattr(self, "exit_code", int(code))  # noqa: B010 - click types it as the class's
        self.todo = todo

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints the message and the next step to stderr."""
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {self.message}", file=file, err=True)
        if self.todo:
            click.echo(f"{click.style('Try:', bold=True)} {self.todo}", file=file, err=True)


@cache
def error_console() -> Console:
    """Returns the console that writes to stderr."""
    from rich.console import Console  # noqa: PLC0415 - takes 0.2 s, which `--json` does not need

    return Console(stderr=True, highlight=False, soft_wrap=True)


def log(text: str) -> None:
    """Prints a message to stderr."""
    click.echo(text, err=True)


def emit(data: object, *, as_json: bool, plain: Callable[[], None]) -> None:
    """Prints data to stdout: as JSON, or with ``plain`` as text."""
    if as_json:
        click.echo(json.dumps(data, ensure_ascii=False, indent=1 if sys.stdout.isatty() else None, default=str))
    else:
        plain()


def print_table(headings: Sequence[str], rows: Iterable[Row], *, none: str = "") -> None:
    """Prints a table on a terminal, and tab-separated lines elsewhere. ``none`` is logged when there are no rows."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not cells and none:
        log(none)
        return
    if not sys.stdout.isatty():
        for row in cells:
            click.echo("\t".join(row))
        return
    _draw(headings, cells)


def _draw(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=not number)  # the first column identifies the row
    for row in rows:
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)


def print_fields(pairs: Mapping[str, object]) -> None:
    """Prints names and values, one pair to a line; an empty value as a hyphen, a truth value as yes or no."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        click.echo(f"{name:<{width}}  {as_text(value)}")


def as_text(value: object) -> str:
    """Returns a value as people write it: yes or no for a truth value, a hyphen for nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value in (None, "", []) else str(value)


@contextmanager
def progress_bar(what: str, total: int | None = None) -> Iterator[ProgressDisplay]:
    """Shows a progress bar on a terminal, and nothing elsewhere. Yields the function that updates it."""
    on_terminal = sys.stderr.isatty()
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, TextColumn("{task.fields[note]}"), console=error_console(), transient=True, disable=not on_terminal
    ) as bar:
        task = bar.add_task(what, total=total, note="")
        yield lambda done, total=None, note="": bar.update(task, completed=done, total=total, note=note)
