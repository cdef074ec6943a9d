"""The root of the command. Commands are imported when they are used, so that help is quick."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final

import click
import rich_click as rich
from click.exceptions import Exit
from rich_click import RichCommand, RichGroup

from cli.errors import failed
from cli.output import ExitCode

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "up": ("cli.commands.run:up", "Start everything here: servers, workers, gateway."),
    "down": ("cli.commands.status:down", "Stop everything that runs from this home."),
    "status": ("cli.commands.status:show_status", "What runs, and where."),
    "doctor": ("cli.commands.status:doctor", "Whether the servers can be trusted, and what to do if not."),
    "import": ("cli.commands.import_cases:bring", "Bring in registration lists."),
    "case": ("cli.commands.case:case", "Start, tell, read, explain and replay cases."),
    "movement": ("cli.commands.movement:movement", "Flights: plan, tell, read."),
    "partner": ("cli.commands.partner.group:partner", "Partners and their keys."),
    "contact": ("cli.commands.contact:contact", "People who ask to be called."),
    "calendar": ("cli.commands.calendar:calendar", "Working days and holidays."),
    "advisory": ("cli.commands.advisory:advisory", "What is advised about places of return."),
    "rule": ("cli.commands.rule:rule", "Explain a rule code, or list all rules."),
    "verify": ("cli.commands.audit:verify", "Compare log, inbox, outbox, read tables, workflows, chain and keys."),
    "rehydrate": ("cli.commands.audit:rehydrate", "Start the workflow of every open case again, from the log."),
    "projection": ("cli.commands.audit:projection", "The read tables: see and rebuild them."),
    "demo": ("cli.commands.demo:demo", "Made-up cases on a fast clock."),
    "worker": ("cli.commands.run:worker", "Run one of Awda's processes by itself."),
    "db": ("cli.commands.run:db", "The database's tables."),
}

GROUPS: Final = [
    {
        "name": "Every day",
        "commands": ["case", "movement", "import", "partner", "contact", "calendar", "advisory", "rule"],
    },
    {"name": "Looking back", "commands": ["verify", "projection", "rehydrate"]},
    {"name": "Running it", "commands": ["up", "down", "status", "doctor", "worker", "db", "demo"]},
]

EPILOG: Final = """\
Begin with `awda up`, then `awda case list`. State lives under AWDA_HOME (default: .awda here);
AWDA_DATABASE_URL and AWDA_TEMPORAL_ADDRESS name servers of your own.

Exit codes: 0 done, 1 unexpected, 2 usage, 3 not found, 4 refused by a rule, 5 conflict, 6 verification failed,
7 a dependency is down, 8 partly done, 130 interrupted.
"""


class RootGroup(RichGroup):
    """Knows its commands by name, and ends every failure with a code and a next step."""

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
        """The command itself, imported now."""
        name, stub, rest = super().resolve_command(ctx, args)
        return name, loaded(name) if name and stub else stub, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            raise Exit(ExitCode.INTERRUPTED) from None
        except (click.UsageError, Exit, BrokenPipeError):
            raise
        except Exception as fault:  # noqa: BLE001 - the end of every command: a fault becomes a code and a next step
            end = failed(fault)
            end.show()
            raise Exit(end.exit_code) from None


def loaded(name: str) -> click.Command:
    """The command behind a name."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    command: click.Command = getattr(importlib.import_module(module), attribute)
    return command


@rich.group(cls=RootGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@rich.version_option("0.1.0", prog_name="awda")
@rich.rich_config({"command_groups": {"awda": GROUPS}, "text_markup": "markdown", "max_width": 110})
def awda() -> None:
    """Awda carries a voluntary return from the first interview to a life rebuilt, and remembers every step."""


def main() -> None:
    awda(prog_name="awda")


if __name__ == "__main__":
    main()
