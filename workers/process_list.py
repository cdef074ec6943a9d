"""Who is in the crew: the processes an installation runs, by name, and how each is started."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from workers.embedded.processes import Command, module

NAMES: Final = ("case-worker", "relay", "projector", "gateway")


def commands(*, made_up: bool = False) -> list[Command]:
    """Our processes as the supervisor starts them. ``made_up``: for partners that are played on this machine."""
    env = {"AWDA_LOOPBACK_RECEIVERS": "1"} if made_up else {}
    return [
        replace(found, env=env | dict(found.env)) for found in (module(name, "workers.main", name) for name in NAMES)
    ]
