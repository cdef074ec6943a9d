"""``awda demo``: simulated cases, and the programme's clock of demo homes."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from typing import Any, Final

import rich_click as click

from cli.context import CommandContext, run_with_context
from cli.home import settings_and_home
from cli.options import as_json
from cli.output import CommandError, ExitCode, emit, log, print_fields, progress_bar
from cli.registration_list import SAMPLE, check_list
from domain.kernel.labels import label
from domain.kernel.vocabulary import Stage
from gateway.pages.time_format import clock
from store.postgres import clock as programme

STEP: Final = re.compile(r"\+(\d{1,5})([mhdw])")

UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@click.group()
def demo() -> None:
    """Run simulated cases on a fast clock."""


@demo.command(epilog="Example: `AWDA_HOME=$(mktemp -d) awda demo run --cases 50 --seed 7 --json`")
@click.option("--cases", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Number of cases.")
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help="Seed of the simulation: the same seed gives the same figures.",
)
@as_json
def run(*, cases: int, seed: int, as_json: bool) -> None:
    """Run cases through all stages with simulated partners, in a home that is used for nothing else.

    The first registrations come from samples/registrations.csv; further ones are generated from the seed.
    """
    from simulator.demo import STARTS, run_demo  # noqa: PLC0415 - `demo clock` does not need it

    settings, _ = settings_and_home()
    people = [each.fields for each in check_list(SAMPLE, STARTS.date()).good]
    with progress_bar("Cases", cases) as progress:
        running = run_demo(settings, cases=cases, seed=seed, say=log, progress=progress, registrations=people)
        found: dict[str, Any] = asyncio.run(running)
    emit(found, as_json=as_json, plain=lambda: _print(found))
    if found["verify"] != "clean":
        raise CommandError(
            ExitCode.UNVERIFIED,
            "All cases ended, but the verification has findings.",
            "awda verify, with the same AWDA_HOME",
        )


def _print(found: dict[str, Any]) -> None:
    print_fields({name.replace("_", " "): value for name, value in found.items() if name != "stages"})
    for stage, about in found["stages"].items():
        click.echo(f"  {label(Stage(stage))}: {about['completed']} completed, median {about['median_days']} days")


@demo.command("clock", context_settings={"ignore_unknown_options": True}, epilog="Example: `awda demo clock +8d`")
@click.argument("step")
@as_json
def move_clock(*, step: str, as_json: bool) -> None:
    """Move the programme's clock forward by STEP: +90m, +8h, +8d or +2w. Demo homes only."""
    by = _duration(step)

    async def work(context: CommandContext) -> datetime:
        return await programme.move(context.pool, await programme.now(context.pool) + by)

    now = run_with_context(work)
    emit(
        {"now": now.isoformat()},
        as_json=as_json,
        plain=lambda: click.echo(f"The programme's clock is at {clock(now)}."),
    )


def _duration(step: str) -> timedelta:
    found = STEP.fullmatch(step)
    if not found:
        raise click.BadParameter(f"{step!r} is not a step of the clock; write +90m, +8h, +8d or +2w")
    return timedelta(**{UNITS[found[2]]: int(found[1])})
