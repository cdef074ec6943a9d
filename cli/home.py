"""Which home a command works in, and where its servers are."""

from __future__ import annotations

from cli.errors import START
from cli.output import CommandError, ExitCode
from workers.embedded.installation import status
from workers.embedded.postgres import APP, as_role
from workers.settings import Home, Settings


def here() -> tuple[Settings, Home]:
    """The settings and the home that the environment names."""
    settings = Settings.read()
    return settings, Home(settings.home)


def dsn_of(settings: Settings, home: Home) -> str:
    """The database as our processes reach it: the one that runs from this home, or the one we were given."""
    running, password = status(home)["database"], home.keys / f"{APP}.password"
    if running and password.exists():
        return as_role(str(running), APP, home.secret(APP))
    if settings.database_url:
        return settings.database_url
    raise CommandError(ExitCode.DOWN, f"Nothing runs from {home.root}.", START)


def temporal_of(settings: Settings, home: Home) -> str | None:
    """Where the Temporal server is, if that is known."""
    return settings.temporal_address or status(home)["temporal_address"]
