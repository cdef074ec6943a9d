"""Ports for the processes of tests.

A process binds its port seconds after the test has chosen it. The operating system gives the ports of its own range to
any outgoing connection meanwhile, so tests choose below that range, at random: parallel workers choose apart.
"""

from __future__ import annotations

import random
from typing import Final

from workers.embedded.temporal import is_free

PORTS: Final = range(10_000, 32_768)

CHOICE: Final = random.SystemRandom()


def free_port() -> int:
    """Returns a port of this machine that nothing listens on."""
    while not is_free(port := CHOICE.choice(PORTS)):
        pass
    return port
