"""The gateway as a process: bound, served, and stopped without cutting anybody off."""

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

GOODBYE_S: Final = 3

PROXY: Final = "AWDA_BEHIND_PROXY"

PARTNER_RATE: Final = "AWDA_PARTNER_RATE"


class ExposedPortError(RuntimeError):
    """The port would be open to people who were never asked who they are."""


class InstallationSettings(Protocol):
    """The settings of an installation, as far as the gateway reads them."""

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
    """Answer until ``stop`` is set, then finish what is under way (3 s). Raises ``ExposedPortError``."""
    served = settings if isinstance(settings, GatewaySettings) else settings_of(settings)
    insist_on_loopback(served)
    server = _Server(config_of(served))
    gc.collect()
    gc.freeze()  # what is there from the start stays, and need not be looked through again and again
    stopping = asyncio.create_task(_stop(server, stop))
    try:
        await server.serve()
    finally:
        stopping.cancel()


def config_of(settings: GatewaySettings) -> uvicorn.Config:
    """How it is served. Where a call came from is read from headers only behind a proxy: others could write them."""
    return uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        http=ConnectionLimits,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GOODBYE_S,
        proxy_headers=settings.proxied,
        forwarded_allow_ips="*",
    )


def settings_of(installed: InstallationSettings) -> GatewaySettings:
    """What the gateway needs, from the settings of the installation and its home."""
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


def insist_on_loopback(settings: GatewaySettings) -> None:
    """Until people sign in here, only a proxy that signs them in may open the port to others."""
    if settings.proxied or _is_loopback(settings.host):
        return
    raise ExposedPortError(
        f"AWDA_HOST={settings.host} would let anybody on the network act as the operator. Unset it, or put a proxy in"
        f" front that signs people in and names them in {USER_HEADER}, and set {PROXY}=1."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(uvicorn.Server):
    """Signals are the process's own affair; it tells us when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _stop(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True
