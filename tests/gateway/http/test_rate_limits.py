"""Rate and connection limits: one partner's flood affects only that partner, and no client can exhaust memory or time."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse

from gateway.http import connection
from gateway.http import request_body as bodies
from gateway.http.rate_limits import (
    ALONE_AFTER_S,
    AT_ONCE,
    BURST,
    HASTY,
    HELD_S,
    KEPT,
    RATE,
    ConcurrencyLimit,
    RateLimitMiddleware,
    TokenBuckets,
)
from gateway.intake.partners import CLOUD_EVENT, PARTNER_BODY
from tests.gateway.conftest import Clinic, an_app
from tests.gateway.test_server import serving
from tests.support.databases import Database
from tests.support.ports import free_port
from tests.support.processes import worker_processes
from workers.embedded.installation import Servers

MIB = 1024 * 1024

PATIENCE_S = 60.0


# Rate limits


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(st.lists(st.floats(0, 5), max_size=300))
def test_no_caller_gets_more_than_the_rate_and_one_burst(pauses: list[float]) -> None:
    buckets, now, turns = TokenBuckets(10, 20), 0.0, []
    for pause in pauses:
        now += pause
        if (wait_s := buckets.take("p", now)) <= HELD_S:
            turns.append(now + wait_s)
    for nth, at in enumerate(turns, 1):
        assert nth <= 20 + 10 * at + 1e-6


def test_a_caller_above_its_rate_gets_the_time_to_wait_and_a_long_wait_takes_no_token() -> None:
    buckets = TokenBuckets(10, 1)
    waits = [buckets.take("p", 0.0) for _ in range(13)]
    assert waits == pytest.approx([0.0, *(nth / 10 for nth in range(1, 11)), 1.1, 1.1])
    assert buckets.take("p", 1.1) <= HELD_S


def test_an_endless_number_of_names_uses_limited_memory() -> None:
    buckets = TokenBuckets()
    for nth in range(3 * KEPT):
        buckets.take(f"p{nth}", 0.0)
    assert len(buckets._buckets) == KEPT


async def test_of_one_name_so_many_are_under_way_and_the_others_come_in_their_order() -> None:
    turns, order, most, here = ConcurrencyLimit(2), [], 0, 0

    async def request(nth: int, name: str) -> None:
        nonlocal most, here
        async with turns.of(name):
            here += name == "p"
            most = max(most, here)
            order.append((name, nth))
            await asyncio.sleep(0.001)
            here -= name == "p"

    await asyncio.gather(*(request(nth, "p") for nth in range(9)), request(0, "q"))

    assert most == 2
    assert [nth for name, nth in order if name == "p"] == list(range(9))
    assert order.index(("q", 0)) < 4
    assert not turns._slots
    assert not turns._requests


async def test_who_keeps_to_its_rate_is_let_in_side_by_side_and_who_hurries_in_turn() -> None:
    here, most = 0, 0

    async def answer(_scope: Any, _receive: Any, _send: Any) -> None:
        nonlocal here, most
        here += 1
        most = max(most, here)
        await asyncio.sleep(0.01)
        here -= 1

    async def at_once(count: int) -> int:
        nonlocal most
        most, scope = 0, {"type": "http", "path": "/api/v1/inbox/p", "headers": [], "client": ("1.2.3.4", 1)}
        await asyncio.gather(*(middleware(dict(scope), None, None) for _ in range(count)))  # type: ignore[arg-type]
        return most

    middleware = RateLimitMiddleware(answer, clock=lambda: 0.0)
    await middleware({"type": "http", "path": "/api/v1/cases", "headers": [], "client": None}, None, None)  # type: ignore[arg-type]
    patient = int(BURST * HASTY)

    assert await at_once(patient) == patient
    assert await at_once(patient) == AT_ONCE


class Calls:
    """Requests to the rate limit middleware, with a clock that the test controls."""

    def __init__(self, rate: float = RATE) -> None:
        self.now, self.through, self.held = 0.0, 0, 0.0
        self.middleware = RateLimitMiddleware(self._answer, rate, lambda: self.now, self._sleep)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        self.through += 1
        await PlainTextResponse("")(scope, receive, send)

    async def _sleep(self, seconds: float) -> None:
        self.held = max(self.held, seconds)

    async def post(self, path: str, address: str = "1.2.3.4", **headers: str) -> int:
        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "path": path, "headers": named, "client": (address, 1), "method": "POST"}
        await self.middleware(scope, receive, send)
        self.last = sent[0]
        return int(sent[0]["status"])


MANY = int(BURST + RATE * HELD_S) + 50
"""More requests than can be accepted and delayed at one moment."""


async def flood(calls: Calls, path: str, **more: Any) -> list[int]:
    return [await calls.post(path, **more) for _ in range(MANY)]


async def test_the_only_caller_is_not_limited() -> None:
    calls = Calls()
    assert set(await flood(calls, "/api/v1/inbox/clinic-tripoli")) == {200}
    assert not calls.held


async def test_as_soon_as_somebody_else_calls_a_flood_is_slowed_down() -> None:
    calls = Calls()
    await calls.post("/api/v1/cases")

    statuses = [await calls.post("/api/v1/inbox/clinic-tripoli") for _ in range(int(BURST) + 10)]
    assert set(statuses) == {200}
    assert calls.held == pytest.approx(10 / RATE)


async def test_what_would_be_held_too_long_is_turned_away_with_the_time_to_wait() -> None:
    calls = Calls()
    await calls.post("/api/v1/cases")
    await flood(calls, "/api/v1/inbox/clinic-tripoli")

    assert await calls.post("/api/v1/inbox/clinic-tripoli") == 429
    assert calls.held == HELD_S, "a rejected request was delayed first, so that an immediate retry gains nothing"
    headers = dict(calls.last["headers"])
    assert headers[b"retry-after"] == b"2"
    assert headers[b"content-type"] == b"application/problem+json"


async def test_a_flood_by_one_partner_does_not_slow_another() -> None:
    calls = Calls()
    await calls.post("/api/v1/inbox/embassy-nga")
    assert 429 in await flood(calls, "/api/v1/inbox/clinic-tripoli")

    calls.held = 0.0
    assert {await calls.post("/api/v1/inbox/embassy-nga") for _ in range(int(BURST) - 1)} == {200}
    assert await calls.post("/api/v1/cases") == 200
    assert not calls.held


async def test_a_forged_partner_id_from_another_address_does_not_use_up_its_rate() -> None:
    calls = Calls()
    assert 429 in [*await flood(calls, "/api/v1/cases"), *await flood(calls, "/api/v1/inbox/clinic-tripoli")]

    assert await calls.post("/api/v1/inbox/clinic-tripoli", address="5.6.7.8") == 200


async def test_known_and_unknown_partners_are_limited_alike() -> None:
    calls = Calls()
    await calls.post("/api/v1/cases")
    statuses = [await flood(calls, f"/api/v1/{path}") for path in ("inbox/a", "partners/b/feed", "inbox/" + "c" * 300)]
    assert statuses[0] == statuses[1] == statuses[2]
    assert 429 in statuses[0]


async def test_a_partner_that_is_alone_again_is_not_limited_any_more() -> None:
    calls = Calls()
    await calls.post("/api/v1/cases")
    await flood(calls, "/api/v1/inbox/clinic-tripoli")
    calls.now += ALONE_AFTER_S + 0.1

    assert set(await flood(calls, "/api/v1/inbox/clinic-tripoli")) == {200}


async def test_health_checks_do_not_count_as_other_callers() -> None:
    calls = Calls()
    await flood(calls, "/api/v1/inbox/clinic-tripoli")
    await calls.post("/healthz")

    assert await calls.post("/api/v1/inbox/clinic-tripoli") == 200


async def test_a_body_that_is_declared_too_large_is_not_read() -> None:
    calls = Calls()
    assert await calls.post("/api/v1/inbox/p", content_length=str(PARTNER_BODY + 1)) == 413
    assert await calls.post("/api/v1/inbox/p", content_length="9" * 400) == 413
    assert calls.through == 0


async def test_a_flood_over_http_is_rejected_with_a_problem_document(database: Database, clinic: Clinic) -> None:
    async with an_app(database, partner_rate=1.0) as client:
        await client.get("/problems/too-many")
        requests = (client.post("/api/v1/inbox/clinic-tripoli", content=b"") for _ in range(int(BURST) + 20))
        answers = await asyncio.gather(*requests)

    turned_away = [each for each in answers if each.status_code == 429]
    assert turned_away
    for answer in turned_away:
        assert answer.json()["type"] == "/problems/too-many"
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]  # set once, on either path
        assert int(answer.headers["retry-after"]) > HELD_S


# Size and time


async def test_the_answer_to_a_body_that_is_too_large_is_a_problem_document(database: Database, clinic: Clinic) -> None:
    async def chunked(size: int) -> AsyncIterator[bytes]:
        for _ in range(0, size, 1024):
            yield b"x" * 1024

    async with an_app(database) as client:
        for path, limit in (("/api/v1/inbox/clinic-tripoli", PARTNER_BODY), ("/api/v1/cases", bodies.STAFF_BODY)):
            for content in (b"x" * (limit + 1024), chunked(limit + 1024)):
                headers = {
                    "content-type": CLOUD_EVENT if "inbox" in path else "application/json",
                    "Idempotency-Key": "k",
                }
                answer = await client.post(path, content=content, headers=headers)
                assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


@asynccontextmanager
async def a_gateway(database: Database, servers: Servers, home: Path, **more: str) -> AsyncIterator[tuple[int, int]]:
    """Runs a gateway in a process of its own. Yields its port and process id."""
    port = free_port()
    async with worker_processes(
        database, servers, home, AWDA_PORT=str(port), AWDA_HOST="127.0.0.1", **more
    ) as processes:
        await processes.start("gateway")
        async with httpx2.AsyncClient(trust_env=False) as client:
            async with asyncio.timeout(PATIENCE_S):
                while not await _is_healthy(client, port):
                    await asyncio.sleep(0.05)
        yield port, processes.running["gateway"].pid


async def _is_healthy(client: httpx2.AsyncClient, port: int) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
    except httpx2.TransportError:
        return False


async def test_a_body_of_a_gibibyte_is_rejected_and_memory_stays_flat(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    async with a_gateway(database, servers, tmp_path) as (port, pid):
        process = psutil.Process(pid)
        assert b"413" in await asyncio.to_thread(a_chunked_body, port, MIB)
        before = process.memory_info().rss

        answers = [await asyncio.to_thread(a_chunked_body, port, 1024 * MIB) for _ in range(2)]

        assert all(b"413" in answer and b"application/problem+json" in answer for answer in answers)
        assert process.memory_info().rss - before < 10 * MIB


def a_chunked_body(port: int, size: int) -> bytes:
    """Sends a body without declaring its length until it is rejected. Returns the response."""
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as line:
        line.sendall(
            _head("POST /api/v1/inbox/clinic-tripoli", "transfer-encoding: chunked", f"content-type: {CLOUD_EVENT}")
        )
        try:
            for _ in range(0, size, 65536):
                line.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            return line.recv(65536)
        except ConnectionResetError:
            return b"HTTP/1.1 413 application/problem+json, sent before the connection was reset"


def _head(first: str, *lines: str) -> bytes:
    return "\r\n".join([f"{first} HTTP/1.1", "host: 127.0.0.1", *lines, "", ""]).encode()


SLOW: dict[str, bytes] = {
    "nothing at all": b"",
    "half a line": b"POST /api/v1/in",
    "a head without end": b"POST /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ",
}


@pytest.mark.parametrize("what", SLOW)
async def test_a_client_that_does_not_finish_its_request_is_disconnected(
    database: Database, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(connection, "HEAD_WITHIN_S", 0.1)
    async with serving(database) as (client, _, _):
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(SLOW[what])

        assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
        writer.close()
        assert (await client.get("/healthz")).status_code == 200


async def test_a_body_that_does_not_arrive_times_out(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_WITHIN_S", 0.1)
    async with serving(database) as (client, _, _):
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(_head("POST /api/v1/inbox/p", f"content-type: {CLOUD_EVENT}", "content-length: 1000") + b"{")

        answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
        writer.close()

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"/problems/too-slow" in answer


ENDLESS: dict[str, Callable[[], bytes]] = {
    "many headers": lambda: _head("GET /healthz", *(f"x-{n}: {'y' * 100}" for n in range(1000))),
    "one header": lambda: _head("GET /healthz", f"x: {'y' * 10 * MIB}"),
    "one header without end": lambda: _head("GET /healthz")[:-2] + b"x: " + b"y" * 10 * MIB,
    "an address": lambda: _head("GET /" + "y" * 10 * MIB),
    "a trailer": lambda: (
        _head("POST /api/v1/inbox/p", f"content-type: {CLOUD_EVENT}", "transfer-encoding: chunked")
        + b"1\r\n{\r\n0\r\nx: "
        + b"y" * 10 * MIB
    ),
}


@pytest.mark.parametrize("what", ENDLESS)
async def test_an_endless_header_section_is_rejected(database: Database, what: str) -> None:
    async with serving(database) as (client, _, _):
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(ENDLESS[what]())
        try:
            answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
        except ConnectionResetError:
            answer = b"HTTP/1.1 431 sent before the connection was reset"
        writer.close()

        assert answer.startswith(b"HTTP/1.1 431"), answer[:200]
        assert (await client.get("/healthz")).status_code == 200


async def test_a_malformed_request_is_answered_with_a_problem(database: Database) -> None:
    async with serving(database) as (client, _, _):
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(b"HELO partner\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
        writer.close()

    assert answer.startswith(b"HTTP/1.1 400")
    assert b"/problems/bad-request" in answer


async def test_partners_are_answered_while_temporal_is_down(
    database: Database, servers: Servers, tmp_path: Path, clinic: Clinic
) -> None:
    """The gateway starts and answers although no Temporal server is listening."""
    unreachable = {"AWDA_TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}"}
    async with (
        a_gateway(database, servers, tmp_path, **unreachable) as (port, _),
        httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client,
    ):
        for _ in range(20):
            headers, body = clinic.signed(clinic.event())
            url = f"http://127.0.0.1:{port}/api/v1/inbox/{clinic.partner_id}"
            answer = await client.post(url, content=body, headers=headers)
            assert answer.status_code == 202
            assert answer.elapsed.total_seconds() < 5, "Temporal's client would have waited ten seconds"


@pytest.mark.integration
def test_the_gateway_imports_nothing_of_temporals_client() -> None:
    names = "gateway.app, gateway.server, gateway.intake.service"
    program = f"import sys, {names}; print([n for n in sys.modules if n.startswith('temporalio.client')])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"
