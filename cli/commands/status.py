"""`awda down`, `awda status` and `awda doctor`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import rich_click as click

from cli.home import dsn_of, here, temporal_of
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


def tell_where(home: Home) -> None:
    found = status(home)
    print_fields({label: found[name] for name, label in LABELS.items() if found[name]} | {"Home": home.root})


@click.command(epilog="Example: `awda down`")
def down() -> None:
    """Stop everything that runs from this home, and whatever a broken start left behind."""
    _, home = here()
    if not home.root.exists():
        log(f"There is no home at {home.root}, so nothing runs from it.")
        return
    log("Stopped." if asyncio.run(bring_down(home)) else "Nothing was running.")


# Looking


@click.command("status", epilog="Example: `awda status --json`")
@as_json
def show_status(*, as_json: bool) -> None:
    """What runs from this home, and where to find it."""
    _, home = here()
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
    """Whether the servers can be trusted with people's cases, and what to do if not."""
    settings, home = here()
    found = asyncio.run(_examined(settings, home))
    ok = all(each.ok for each in found)
    told = {"ok": ok, "findings": [asdict(each) for each in found]}
    emit(told, as_json=as_json, plain=lambda: _tell_findings(found))
    if not ok:
        failed = next(each for each in found if not each.ok)
        raise CommandError(ExitCode.DOWN, f"Not well: {failed.name}.", failed.remedy)


async def _examined(settings: Settings, home: Home) -> list[HealthCheck]:
    try:
        dsn = dsn_of(settings, home)
    except CommandError as failed:
        return [HealthCheck("home", ok=False, detail=failed.message, remedy=f"Run {failed.todo}."), *wheels()]
    embedded = settings.database_url is None
    owner = as_role(dsn, OWNER, home.secret(OWNER)) if embedded else None
    return await diagnose(
        owner, dsn, temporal_of(settings, home), namespace=settings.temporal_namespace, embedded=embedded
    )


def _tell_findings(found: Sequence[HealthCheck]) -> None:
    rows: list[list[Any]] = [
        ["ok" if each.ok else "NOT WELL", each.name, f"{each.detail} {each.remedy}"] for each in found
    ]
    print_table(("", "what", "finding"), rows)
