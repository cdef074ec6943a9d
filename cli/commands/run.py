"""``awda up``, ``awda worker run`` and ``awda db migrate``."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from dataclasses import replace
from importlib import import_module

import rich_click as click

from cli.commands.status import print_addresses
from cli.home import database_dsn, settings_and_home, temporal_address
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
@click.option("--empty", is_flag=True, help="Without sample partners and cases, for real use.")
@click.option("--detach", is_flag=True, help="Return after the start; stop with `awda down`.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the gateway; another port if it is in use.")
def up(*, empty: bool, detach: bool, port: int | None) -> None:
    """Start servers, workers and gateway, and run until Ctrl-C.

    The first start creates the home (AWDA_HOME), with sample partners and cases unless --empty is given.
    """
    settings, home = settings_and_home()
    settings = replace(settings, port=port or settings.port)
    if detach:
        _detach(settings, home, empty=empty)
    else:
        asyncio.run(_run(settings, home, empty=empty))


def _detach(settings: Settings, home: Home, *, empty: bool) -> None:
    if status(home)["temporal_address"] and home.state().get("ready"):
        log(f"Awda is already running in {home.root}.")
    else:
        path = os.environ.get("PYTHONPATH", "")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(PROJECT), path)))
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
    print_addresses(home)


async def _run(settings: Settings, home: Home, *, empty: bool) -> None:
    partners = SamplePartners.of(settings, home, empty=empty)

    async def ready(servers: Servers) -> None:
        if partners:
            await partners.register_people(servers, log)
        print_addresses(home)
        log("Press Ctrl-C to stop. To list the cases: awda case list")

    processes: list[Command] = [*commands(made_up=partners is not None), *([partners.process] if partners else [])]
    prepare = partners.prepare if partners else migrate
    await bring_up(settings, processes=processes, migrate=prepare, say=log, ready=ready)


# Single processes and the database schema


@click.group()
def worker() -> None:
    """Run a single process."""


@worker.command("run", epilog="Example: `awda worker run relay`")
@click.argument("name", type=click.Choice(list(NAMES)), default="case-worker")
def run_worker(name: str) -> None:
    """Run one process until Ctrl-C: case-worker, relay, projector or gateway. Several instances may run at once."""
    settings, home = settings_and_home()
    os.environ["AWDA_DATABASE_URL"] = database_dsn(settings, home)
    if address := temporal_address(settings, home):
        os.environ["AWDA_TEMPORAL_ADDRESS"] = address
    if SamplePartners.exist_in(home):
        os.environ["AWDA_LOOPBACK_RECEIVERS"] = "1"
    main = import_module("workers.main").main
    with suppress(KeyboardInterrupt):
        raise SystemExit(main([name]))


@click.group()
def db() -> None:
    """Manage the database schema."""


@db.command("migrate", epilog="Example: `AWDA_DATABASE_URL=postgresql://owner@host/awda awda db migrate`")
@as_json
def migrate_tables(*, as_json: bool) -> None:
    """Apply outstanding migrations. On an external database, connect as the owner of the tables."""
    settings, home = settings_and_home()
    dsn = database_dsn(settings, home)
    if settings.database_url is None:
        dsn = as_role(dsn, OWNER, home.secret(OWNER))
    applied = asyncio.run(migrate(dsn))
    emit(
        {"applied": applied},
        as_json=as_json,
        plain=lambda: click.echo("\n".join(applied) or "The database schema is up to date."),
    )
