"""The gateway on a real port: who can reach it, how it stops, and how it handles an endless body."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import psutil
import pytest
from starlette.types import Receive, Scope, Send

from gateway.app import Application, GatewaySettings
from gateway.intake.partners import CLOUD_EVENT
from gateway.server import ExposedPortError, config_of, require_loopback, serve, settings_of
from tests.gateway.conftest import MASTER_KEY, REGISTRATION
from tests.support.databases import Database
from tests.support.ports import free_port
from workers.settings import Home, Settings

MIB = 1024 * 1024

EVERYWHERE = "0.0.0.0"  # noqa: S104 (to be refused)


@asynccontextmanager
async def serving(database: Database) -> AsyncIterator[tuple[httpx2.AsyncClient, asyncio.Event, asyncio.Task[None]]]:
    settings, stop = GatewaySettings(database.app_dsn, MASTER_KEY, port=free_port()), asyncio.Event()
    running = asyncio.create_task(serve(settings, stop=stop))
    url = f"http://127.0.0.1:{settings.port}"
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        for _ in range(200):
            try:
                await client.get("/healthz")
                break
            except httpx2.TransportError:
                await asyncio.sleep(0.02)
        yield client, stop, running
    stop.set()
    await asyncio.wait_for(running, 5)


@pytest.mark.parametrize("proxied", [False, True])
async def test_forwarded_headers_are_trusted_only_behind_a_proxy(
    monkeypatch: pytest.MonkeyPatch, *, proxied: bool
) -> None:
    """Rate limits are kept per address, so a client must not be able to forge its address."""
    seen: list[str] = []

    async def record_client(_: object, scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["client"][0])

    monkeypatch.setattr(Application, "__call__", record_client)
    config = config_of(GatewaySettings("", MASTER_KEY, proxied=proxied))
    config.load()
    scope = {"type": "http", "client": ("127.0.0.1", 1), "headers": [(b"x-forwarded-for", b"198.51.100.7")]}
    await config.loaded_app(scope, None, None)
    assert seen == ["198.51.100.7" if proxied else "127.0.0.1"]


async def test_the_server_runs_until_it_is_stopped(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(database) as (client, stop, running):
        body = {"message": "RegisterCase", **REGISTRATION}
        answer = await client.post("/api/v1/cases", json=body, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 202

        stop.set()
        await asyncio.wait_for(running, 5)

    assert "RegisterCase" not in caplog.text
    assert "Aminata" not in caplog.text


async def test_an_endless_body_is_rejected_and_memory_stays_flat(database: Database) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * MIB

    async with serving(database) as (client, _, _):
        before = psutil.Process().memory_info().rss
        try:
            answer = await client.post(
                "/api/v1/inbox/clinic-tripoli", content=endless(), headers={"content-type": CLOUD_EVENT}
            )
            assert answer.status_code == 413
        except httpx2.TransportError:
            pass  # the response came while the body was still being sent, and the connection was closed
        assert psutil.Process().memory_info().rss - before < 20 * MIB
        assert (await client.get("/healthz")).status_code == 200


def test_the_port_is_not_opened_to_people_nobody_signed_in() -> None:
    open_to_all = GatewaySettings("", MASTER_KEY, host=EVERYWHERE)

    with pytest.raises(ExposedPortError, match="AWDA_BEHIND_PROXY"):
        require_loopback(open_to_all)
    require_loopback(GatewaySettings("", MASTER_KEY, host=EVERYWHERE, proxied=True))
    for host in ("127.0.0.1", "localhost", "::1"):
        require_loopback(GatewaySettings("", MASTER_KEY, host=host))


def test_the_master_key_is_that_of_the_home(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", database_url="postgresql://x")
    key = Home(settings.home).make().master_key(settings)

    assert settings_of(settings).master_key == key


def test_neither_key_nor_password_shows_when_settings_are_printed() -> None:
    assert "secret" not in repr(GatewaySettings("postgresql://u:secret@h", b"secret" * 4))
