"""The root command. Subcommands are imported when they are used, so that help stays fast."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final

import click
import rich_click as rich
from click.exceptions import Exit
from rich_click import RichCommand, RichGroup

from cli.errors import command_error
from cli.output import ExitCode

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "up": ("cli.commands.run:up", "Start servers, workers and gateway."),
    "down": ("cli.commands.status:down", "Stop all processes of this home."),
    "status": ("cli.commands.status:show_status", "Show processes and addresses."),
    "doctor": ("cli.commands.status:doctor", "Check the configuration of the servers."),
    "import": ("cli.commands.import_cases:import_group", "Import registration lists."),
    "case": ("cli.commands.case:case", "Start, update, show and explain cases."),
    "movement": ("cli.commands.movement:movement", "Plan, update and show movements (flights)."),
    "partner": ("cli.commands.partner.group:partner", "Manage partners, their keys and their messages."),
    "contact": ("cli.commands.contact:contact", "Manage callback requests."),
    "calendar": ("cli.commands.calendar:calendar", "Manage public holidays."),
    "advisory": ("cli.commands.advisory:advisory", "Manage return advisories."),
    "rule": ("cli.commands.rule:rule", "Explain a rule code, or list all rules."),
    "verify": ("cli.commands.audit:verify", "Verify log, messages, read tables and workflows against each other."),
    "rehydrate": ("cli.commands.audit:rehydrate", "Restart the workflows of all open cases from the log."),
    "projection": ("cli.commands.audit:projection", "List and rebuild read tables."),
    "demo": ("cli.commands.demo:demo", "Run simulated cases on a fast clock."),
    "worker": ("cli.commands.run:worker", "Run a single process."),
    "db": ("cli.commands.run:db", "Manage the database schema."),
}

GROUPS: Final = [
    {
        "name": "Daily work",
        "commands": ["case", "movement", "import", "partner", "contact", "calendar", "advisory", "rule"],
    },
    {"name": "Audit", "commands": ["verify", "projection", "rehydrate"]},
    {"name": "Operation", "commands": ["up", "down", "status", "doctor", "worker", "db", "demo"]},
]

EPILOG: Final = """\
Start with `awda up`, then `awda case list`. Data is stored under AWDA_HOME (default: .awda in the current directory).
Set AWDA_DATABASE_URL and AWDA_TEMPORAL_ADDRESS to use your own servers.

Exit codes: 0 success, 1 unexpected error, 2 usage, 3 not found, 4 refused by a rule, 5 conflict,
6 verification failed, 7 a dependency is down, 8 partly done, 130 interrupted.
"""


class RootGroup(RichGroup):
    """Loads subcommands on demand, and turns every exception into an exit code and a next step."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """A command's name and line of help, for the overview."""
        if cmd_name not in COMMANDS:
            return None
        return RichCommand(name=cmd_name, help=COMMANDS[cmd_name][1])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Imports the subcommand that is run."""
        name, stub, rest = super().resolve_command(ctx, args)
        return name, loaded(name) if name and stub else stub, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            raise Exit(ExitCode.INTERRUPTED) from None
        except (click.UsageError, Exit, BrokenPipeError):
            raise
        except Exception as fault:  # noqa: BLE001 - the last handler: every fault becomes an exit code
            error = command_error(fault)
            error.show()
            raise Exit(error.exit_code) from None


def loaded(name: str) -> click.Command:
    """Imports and returns a subcommand by its name."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    command: click.Command = getattr(importlib.import_module(module), attribute)
    return command


@rich.group(cls=RootGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@rich.version_option("0.1.0", prog_name="awda")
@rich.rich_config({"command_groups": {"awda": GROUPS}, "text_markup": "markdown", "max_width": 110})
def awda() -> None:
    """Awda manages voluntary humanitarian return cases, from registration to reintegration."""


def main() -> None:
    """Runs the command line."""
    awda(prog_name="awda")


if __name__ == "__main__":
    main()
