"""``awda down``, ``awda status`` and ``awda doctor``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import rich_click as click

from cli.home import database_dsn, settings_and_home, temporal_address
from cli.options import as_json
from cli.output import CommandError, ExitCode, emit, log, print_fields, print_table
from workers.doctor import HealthCheck, diagnose, wheels
from workers.embedded.installation import down as bring_down
from workers.embedded.installation import status
from workers.embedded.postgres import OWNER, as_role
from workers.settings import Home, Settings

LABELS: Final = {
    "api_url": "API",
    "temporal_ui_url": "Temporal",
    "temporal_address": "Temporal server",
    "database": "Database",
}


def print_addresses(home: Home) -> None:
    """Prints the addresses of the servers of a home."""
    found = status(home)
    print_fields({label: found[name] for name, label in LABELS.items() if found[name]} | {"Home": home.root})


@click.command(epilog="Example: `awda down`")
def down() -> None:
    """Stop all processes of this home, including those left by an interrupted start."""
    _, home = settings_and_home()
    if not home.root.exists():
        log(f"There is no home at {home.root}; nothing to stop.")
        return
    log("Stopped." if asyncio.run(bring_down(home)) else "Awda was not running.")


# State


@click.command("status", epilog="Example: `awda status --json`")
@as_json
def show_status(*, as_json: bool) -> None:
    """Show the processes of this home and their addresses."""
    _, home = settings_and_home()
    found = status(home)

    def plain() -> None:
        print_fields({label: found[name] for name, label in LABELS.items()})
        print_table(
            ("process", "pid", "state"), [[each["name"], each["pid"], each["state"]] for each in found["processes"]]
        )

    emit(found, as_json=as_json, plain=plain)


@click.command(epilog="Example: `awda doctor`")
@as_json
def doctor(*, as_json: bool) -> None:
    """Check that the servers are configured safely, and say what to correct."""
    settings, home = settings_and_home()
    found = asyncio.run(_diagnose(settings, home))
    ok = all(each.ok for each in found)
    data = {"ok": ok, "findings": [asdict(each) for each in found]}
    emit(data, as_json=as_json, plain=lambda: _print_findings(found))
    if not ok:
        failed = next(each for each in found if not each.ok)
        raise CommandError(ExitCode.DOWN, f"Check failed: {failed.name}.", failed.remedy)


async def _diagnose(settings: Settings, home: Home) -> list[HealthCheck]:
    try:
        dsn = database_dsn(settings, home)
    except CommandError as failed:
        return [HealthCheck("home", ok=False, detail=failed.message, remedy=f"Run {failed.todo}."), *wheels()]
    embedded = settings.database_url is None
    owner = as_role(dsn, OWNER, home.secret(OWNER)) if embedded else None
    return await diagnose(
        owner, dsn, temporal_address(settings, home), namespace=settings.temporal_namespace, embedded=embedded
    )


def _print_findings(found: Sequence[HealthCheck]) -> None:
    rows: list[list[Any]] = [
        ["ok" if each.ok else "FAILED", each.name, f"{each.detail} {each.remedy}".strip()] for each in found
    ]
    print_table(("result", "check", "finding"), rows)
