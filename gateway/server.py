"""The gateway as a process: binds the port, serves, and shuts down gracefully."""

from __future__ import annotations

import asyncio
import base64
import gc
import ipaddress
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import uvicorn

from gateway.app import GatewaySettings, create_app
from gateway.http.authorization import USER_HEADER
from gateway.http.connection import ConnectionLimits
from gateway.http.rate_limits import RATE
from gateway.public_address import PublicAddress

log = logging.getLogger("awda.gateway")

SHUTDOWN_S: Final = 3  # for requests in progress when the process is stopped

PROXY: Final = "AWDA_BEHIND_PROXY"

PARTNER_RATE: Final = "AWDA_PARTNER_RATE"


class ExposedPortError(RuntimeError):
    """The port would be open to callers who are not authenticated."""


class InstallationSettings(Protocol):
    """The settings of an installation that the gateway reads."""

    @property
    def home(self) -> Path: ...
    @property
    def database_url(self) -> str | None: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def master_key(self) -> str | None: ...
    @property
    def files(self) -> Path | None: ...


async def serve(settings: InstallationSettings | GatewaySettings, *, stop: asyncio.Event) -> None:
    """Serves until ``stop`` is set, then finishes requests in progress (3 s). Raises ``ExposedPortError``."""
    gateway = settings if isinstance(settings, GatewaySettings) else settings_of(settings)
    require_loopback(gateway)
    server = _Server(config_of(gateway))
    gc.collect()
    gc.freeze()  # objects from start-up stay, so later collections need not scan them
    stopping = asyncio.create_task(_stop(server, stop))
    try:
        await server.serve()
    finally:
        stopping.cancel()


def config_of(settings: GatewaySettings) -> uvicorn.Config:
    """Returns the server's configuration. Forwarded headers are trusted only behind a proxy: clients can forge them."""
    return uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        http=ConnectionLimits,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
        proxy_headers=settings.proxied,
        forwarded_allow_ips="*",
    )


def settings_of(installed: InstallationSettings) -> GatewaySettings:
    """Returns the gateway's settings from those of the installation and its home."""
    text = installed.master_key or (installed.home / "keys" / "master.key").read_text()
    return GatewaySettings(
        database_url=installed.database_url or "",
        master_key=base64.b64decode(text.strip(), validate=True),
        host=installed.host,
        port=installed.port,
        proxied=os.environ.get(PROXY) == "1",
        partner_rate=float(os.environ.get(PARTNER_RATE) or RATE),
        face=PublicAddress.read(),
        files=installed.files or installed.home / "files",
    )


def require_loopback(settings: GatewaySettings) -> None:
    """Checks that the port is open to other machines only behind a proxy that authenticates users.

    The gateway has no sign-in of its own. Raises ``ExposedPortError``.
    """
    if settings.proxied or _is_loopback(settings.host):
        return
    raise ExposedPortError(
        f"AWDA_HOST={settings.host} would let every client on the network act as the operator. Unset it, or put a"
        f" proxy in front that authenticates users and names them in {USER_HEADER}, and set {PROXY}=1."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(uvicorn.Server):
    """A server that leaves signal handling to the process, which sets ``stop``."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _stop(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True
