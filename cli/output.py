"""How the command speaks: data to stdout, everything else to stderr, colours and bars only where somebody looks."""

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
    """Shows how much is done, of how much, and a word about where that is."""

    def __call__(self, done: int, total: int | None = None, note: str = "") -> object: ...


class ExitCode(IntEnum):
    """What a command ends with."""

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
    """The end of a command that did not do what was asked: why, and what to try next."""

    def __init__(self, code: ExitCode, why: str, todo: str = "") -> None:
        super().__init__(why)
        setattr(self, "exit_code", int(code))  # noqa: B010 - click types it as the class's
        self.todo = todo

    def show(self, file: IO[Any] | None = None) -> None:
        """Two lines on stderr, which a log can hold: what is wrong, and what to do."""
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {self.message}", file=file, err=True)
        if self.todo:
            click.echo(f"{click.style('Try:', bold=True)} {self.todo}", file=file, err=True)


@cache
def error_console() -> Console:
    """Where one talks to people."""
    from rich.console import Console  # noqa: PLC0415 - a fifth of a second that `--json` need not cost

    return Console(stderr=True, highlight=False, soft_wrap=True)


def log(text: str) -> None:
    """Tell whoever is watching."""
    click.echo(text, err=True)


def emit(data: object, *, as_json: bool, plain: Callable[[], None]) -> None:
    """Hand out data: as JSON for programs, or as it reads best for people."""
    if as_json:
        click.echo(json.dumps(data, ensure_ascii=False, indent=1 if sys.stdout.isatty() else None, default=str))
    else:
        plain()


def print_table(headings: Sequence[str], rows: Iterable[Row], *, none: str = "") -> None:
    """A table for somebody who looks; lines with tabs for whatever reads a pipe. ``none``: what is said of no rows."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not cells and none:
        log(none)
        return
    if not sys.stdout.isatty():
        for row in cells:
            click.echo("\t".join(row))
        return
    _drawn(headings, cells)


def _drawn(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        drawn.add_column(heading, overflow="fold", no_wrap=not number)  # a row begins with its name
    for row in rows:
        drawn.add_row(*map(Text, row))
    Console(highlight=False).print(drawn)


def print_fields(pairs: Mapping[str, object]) -> None:
    """Names and values, one to a line."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        click.echo(f"{name:<{width}}  {'-' if value in (None, '', []) else value}")


@contextmanager
def progress_bar(what: str, total: int | None = None) -> Iterator[ProgressDisplay]:
    """A bar on a terminal, silence elsewhere. Gives a function that is told how much is done so far."""
    seen = sys.stderr.isatty()
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, TextColumn("{task.fields[note]}"), console=error_console(), transient=True, disable=not seen
    ) as bar:
        task = bar.add_task(what, total=total, note="")
        yield lambda done, total=None, note="": bar.update(task, completed=done, total=total, note=note)
