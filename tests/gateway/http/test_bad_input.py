"""Endless bodies and floods, sent to a gateway that runs in a process of its own."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import psutil
import pytest

from bench.client import BrokenConnectionError, HttpConnection, connect_to, post
from gateway.intake.partners import CLOUD_EVENT
from gateway.intake.service import Intake
from tests.gateway.conftest import MASTER_KEY, Clinic, a_partner, rows
from tests.support.databases import Database
from tests.support.ports import free_port

MIB = 1024 * 1024

GIB = 1024 * MIB

CHUNK = 64 * 1024

PATIENCE_S = 180.0


@dataclass(frozen=True)
class Gateway:
    """The gateway's process and port."""

    port: int
    process: psutil.Process


@asynccontextmanager
async def a_gateway(database: Database, **more: str) -> AsyncIterator[Gateway]:
    port, key = free_port(), base64.b64encode(MASTER_KEY).decode()
    known = {"AWDA_DATABASE_URL": database.app_dsn, "AWDA_PORT": str(port), "AWDA_MASTER_KEY": key, **more}
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "workers.main", "gateway", env={**os.environ, "PYTHONPATH": ".", **known},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await is_healthy(port):
                await asyncio.sleep(0.1)
        yield Gateway(port, psutil.Process(started.pid))
    finally:
        started.kill()
        await started.wait()


async def is_healthy(port: int) -> bool:
    try:
        made = await connect_to(port)
        reply = await made.ask(b"GET /healthz HTTP/1.1\r\nhost: here\r\n\r\n")
    except (BrokenConnectionError, OSError):
        return False
    return reply.status == 200


@pytest.mark.parametrize("path", ["/api/v1/inbox/clinic-tripoli", "/api/v1/cases"])
async def test_a_body_of_a_gibibyte_in_chunks_is_refused_and_memory_stays_flat(database: Database, path: str) -> None:
    async with a_gateway(database) as gateway:
        before = gateway.process.memory_info().rss

        answer, sent = await asyncio.to_thread(send_chunks, gateway.port, path, GIB)

        assert answer.startswith(b"HTTP/1.1 413"), answer[:100]
        assert sent < GIB, "the connection was closed long before the end"
        assert gateway.process.memory_info().rss - before < 20 * MIB
        assert await is_healthy(gateway.port)


def send_chunks(port: int, path: str, size: int) -> tuple[bytes, int]:
    """Sends a body in chunks until it ends or the connection is closed. Returns the response and the bytes sent."""
    headers = {"host": f"127.0.0.1:{port}", "content-type": kind_of(path), "transfer-encoding": "chunked"}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "Idempotency-Key": "k"}.items())
    chunk, sent = b"%x\r\n%b\r\n" % (CHUNK, b"x" * CHUNK), 0
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as made:
        made.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode())
        with suppress(ConnectionError):
            while sent < size:
                made.sendall(chunk)
                sent += CHUNK
        return made.recv(65536), sent


def kind_of(path: str) -> str:
    return CLOUD_EVENT if "inbox" in path else "application/json"


async def test_who_floods_is_told_to_wait_and_nobody_else_is(
    database: Database, intake: Intake, clinic: Clinic
) -> None:
    calm = await a_partner(intake, "exit-authority", clinic.case, "another-token-of-a-test")
    async with a_gateway(database, AWDA_PARTNER_RATE="5") as gateway:
        statuses: Counter[int] = Counter()
        lines = [await connect_to(gateway.port) for _ in range(16)]
        flood = [asyncio.create_task(send_without_pause(one, gateway.port, clinic, statuses)) for one in lines]

        answered = [await send_signal(await connect_to(gateway.port), gateway.port, calm) for _ in range(50)]
        async with asyncio.timeout(PATIENCE_S):
            while not statuses[429]:  # as long as the other partner sends
                await asyncio.sleep(0.1)
                answered.append(await send_signal(await connect_to(gateway.port), gateway.port, calm))
        for each in flood:
            each.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
        assert set(answered) == {202}
        assert set(statuses) == {202, 429}
        kept = Counter(row["source"] for row in await rows(intake, "source", "name = 'partner.signal'"))
        assert kept["partner:exit-authority"] == len(answered)
        assert statuses[202] <= kept["partner:clinic-tripoli"] <= statuses[202] + len(lines), (
            "acknowledged, or disconnected before the response"
        )


async def send_without_pause(one: HttpConnection, port: int, partner: Clinic, statuses: Counter[int]) -> None:
    while True:
        statuses[await send_signal(one, port, partner)] += 1


async def send_signal(one: HttpConnection, port: int, partner: Clinic) -> int:
    """Sends a new signal of a partner and returns the status of the response."""
    token = {} if partner.partner_id == "clinic-tripoli" else {"referral_token": "another-token-of-a-test"}
    headers, body = partner.signed(partner.event(data=token))
    return (await one.ask(post(port, f"/api/v1/inbox/{partner.partner_id}", headers, body))).status
