"""Starting Awda here: all of it, one of its processes, or only its tables."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from dataclasses import replace
from importlib import import_module

import rich_click as click

from cli.commands.status import tell_where
from cli.home import dsn_of, here, temporal_of
from cli.options import as_json
from cli.output import emit, log
from cli.sample_data import SamplePartners
from store.postgres.database import migrate
from workers.embedded.installation import Servers, launch_apart, status
from workers.embedded.installation import up as bring_up
from workers.embedded.postgres import OWNER, as_role
from workers.embedded.processes import PROJECT, Command
from workers.process_list import NAMES, commands
from workers.settings import Home, Settings


@click.command(epilog="Examples: `awda up`, `awda up --empty --detach --port 9000`")
@click.option("--empty", is_flag=True, help="No made-up partners and people; for real use.")
@click.option("--detach", is_flag=True, help="Return once all is up; `awda down` stops it.")
@click.option("--port", type=click.IntRange(1, 65535), help="The gateway's port; another if it is taken.")
def up(*, empty: bool, detach: bool, port: int | None) -> None:
    """Start everything here and stay until Ctrl-C: servers, workers, gateway.

    The first start creates the home (AWDA_HOME) and, unless told otherwise, made-up partners and people.
    """
    settings, home = here()
    settings = replace(settings, port=port or settings.port)
    if detach:
        _apart(settings, home, empty=empty)
    else:
        asyncio.run(_stay(settings, home, empty=empty))


def _apart(settings: Settings, home: Home, *, empty: bool) -> None:
    if status(home)["temporal_address"] and home.state().get("ready"):
        log(f"Awda runs from {home.root} already.")
    else:
        known = os.environ.get("PYTHONPATH", "")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(PROJECT), known)))
        argv = [
            sys.executable,
            "-P",
            "-m",
            "cli.main",
            "up",
            "--port",
            str(settings.port),
            *(["--empty"] if empty else []),
        ]
        asyncio.run(launch_apart(argv, home))
    tell_where(home)


async def _stay(settings: Settings, home: Home, *, empty: bool) -> None:
    company = SamplePartners.of(settings, home, empty=empty)

    async def ready(servers: Servers) -> None:
        if company:
            await company.arrive(servers, log)
        tell_where(home)
        log("Ctrl-C stops everything. Try: awda case list")

    processes: list[Command] = [*commands(made_up=company is not None), *([company.process] if company else [])]
    prepare = company.prepare if company else migrate
    await bring_up(settings, processes=processes, migrate=prepare, say=log, ready=ready)


# Parts


@click.group()
def worker() -> None:
    """Run one of Awda's processes by itself."""


@worker.command("run", epilog="Example: `awda worker run relay`")
@click.argument("name", type=click.Choice(list(NAMES)), default="case-worker")
def run_worker(name: str) -> None:
    """Run one process until Ctrl-C: case-worker, relay, projector or gateway. As many at once as you like."""
    settings, home = here()
    os.environ["AWDA_DATABASE_URL"] = dsn_of(settings, home)
    if address := temporal_of(settings, home):
        os.environ["AWDA_TEMPORAL_ADDRESS"] = address
    if SamplePartners.play_in(home):
        os.environ["AWDA_LOOPBACK_RECEIVERS"] = "1"
    main = import_module("workers.main").main
    with suppress(KeyboardInterrupt):
        raise SystemExit(main([name]))


@click.group()
def db() -> None:
    """The database's tables."""


@db.command("migrate", epilog="Example: `AWDA_DATABASE_URL=postgresql://owner@host/awda awda db migrate`")
@as_json
def migrate_tables(*, as_json: bool) -> None:
    """Bring the tables up to date. Needs the database's owner; in an embedded home that is known."""
    settings, home = here()
    dsn = dsn_of(settings, home)
    if settings.database_url is None:
        dsn = as_role(dsn, OWNER, home.secret(OWNER))
    applied = asyncio.run(migrate(dsn))
    emit({"applied": applied}, as_json=as_json, plain=lambda: click.echo("\n".join(applied) or "Nothing to do."))
