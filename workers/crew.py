"""Who is in the crew: the processes an installation runs, by name, and how each is started."""

from __future__ import annotations

from typing import Final

from workers.processes import Command, module

NAMES: Final = ("case-worker", "relay", "projector", "gateway")


def commands() -> list[Command]:
    """Our processes as the supervisor starts them."""
    return [module(name, "workers.main", name) for name in NAMES]
