"""The processes of an installation: their names, and the commands that start them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from workers.embedded.processes import Command, module

NAMES: Final = ("case-worker", "relay", "projector", "gateway")


def commands(*, made_up: bool = False) -> list[Command]:
    """Returns the commands with which the supervisor starts the processes.

    With ``made_up``, messages may be sent to simulated partners that listen on this machine.
    """
    env = {"AWDA_LOOPBACK_RECEIVERS": "1"} if made_up else {}
    return [
        replace(found, env=env | dict(found.env)) for found in (module(name, "workers.main", name) for name in NAMES)
    ]
