"""Made-up cases on a clock that does not wait for real days."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from typing import Any, Final

import rich_click as click

from cli.context import CommandContext, run_with_context
from cli.home import here
from cli.options import as_json
from cli.output import CommandError, ExitCode, emit, log, print_fields, progress_bar
from cli.registration_list import SAMPLE, check_list
from store.postgres import clock as programme

STEP: Final = re.compile(r"\+(\d{1,5})([mhdw])")

UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@click.group()
def demo() -> None:
    """Made-up cases on a fast clock."""


@demo.command(epilog="Example: `AWDA_HOME=$(mktemp -d) awda demo run --cases 50 --seed 7 --json`")
@click.option("--cases", type=click.IntRange(1, 100_000), default=20, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same figures.")
@as_json
def run(*, cases: int, seed: int, as_json: bool) -> None:
    """Carry made-up cases through all stages with simulated partners, in a home of its own.

    The first come from samples/registrations.csv; beyond those, people are made up by the seed.
    """
    from simulator.demo import STARTS, run_demo  # noqa: PLC0415 - moving the clock needs none of it

    settings, _ = here()
    people = [each.fields for each in check_list(SAMPLE, STARTS.date()).good]
    with progress_bar("Cases", cases) as shown:
        live = run_demo(settings, cases=cases, seed=seed, say=log, progress=shown, registrations=people)
        found: dict[str, Any] = asyncio.run(live)
    emit(found, as_json=as_json, plain=lambda: _tell(found))
    if found["verify"] != "clean":
        raise CommandError(
            ExitCode.UNVERIFIED, "The cases ended, but not everything agrees.", "awda verify, in the same AWDA_HOME"
        )


def _tell(found: dict[str, Any]) -> None:
    print_fields({name.replace("_", " "): value for name, value in found.items() if name != "stages"})
    for stage, about in found["stages"].items():
        click.echo(f"  {stage}: {about['completed']} completed, median {about['median_days']} days")


@demo.command("clock", context_settings={"ignore_unknown_options": True}, epilog="Example: `awda demo clock +8d`")
@click.argument("step")
@as_json
def move_clock(*, step: str, as_json: bool) -> None:
    """Move the programme's clock on: +90m, +8h, +8d, +2w. Demo homes only."""
    by = _duration(step)

    async def work(context: CommandContext) -> datetime:
        return await programme.move(context.pool, await programme.now(context.pool) + by)

    now = run_with_context(work)
    emit({"now": now.isoformat()}, as_json=as_json, plain=lambda: click.echo(f"It is {now:%A %d %B %Y %H:%M} UTC."))


def _duration(step: str) -> timedelta:
    found = STEP.fullmatch(step)
    if not found:
        raise click.BadParameter(f"{step!r} is no step of the clock: write +90m, +8h, +8d or +2w")
    return timedelta(**{UNITS[found[2]]: int(found[1])})
