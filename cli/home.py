"""The home that a command works in, and the addresses of its servers."""

from __future__ import annotations

from cli.errors import START
from cli.output import CommandError, ExitCode
from workers.embedded.installation import status
from workers.embedded.postgres import APP, as_role
from workers.settings import Home, Settings


def settings_and_home() -> tuple[Settings, Home]:
    """Returns the settings and the home that the environment names."""
    settings = Settings.read()
    return settings, Home(settings.home)


def database_dsn(settings: Settings, home: Home) -> str:
    """Returns the DSN of the application's role: of the embedded server if it runs, otherwise as configured.

    Raises ``CommandError`` (a dependency is down) when there is neither.
    """
    running, password = status(home)["database"], home.keys / f"{APP}.password"
    if running and password.exists():
        return as_role(str(running), APP, home.secret(APP))
    if settings.database_url:
        return settings.database_url
    raise CommandError(ExitCode.DOWN, f"Awda is not running in {home.root}, and AWDA_DATABASE_URL is not set.", START)


def temporal_address(settings: Settings, home: Home) -> str | None:
    """Returns the address of the Temporal server, or ``None`` if it is not known."""
    return settings.temporal_address or status(home)["temporal_address"]
