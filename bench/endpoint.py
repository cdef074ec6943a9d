"""The partner endpoint compared with a minimal endpoint on the same server, and its fairness under load.

Both run as separate processes. Thirty-two connections send prepared, signed signals of several partners. A second
measurement compares one partner's response times with and without another partner that sends as fast as it can.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, cycle
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from bench.append import owner
from bench.bare import TABLE
from bench.client import BrokenConnectionError, LoadResult, connect_to, connections_to, post, send_all, send_until
from bench.engine import MESSAGES, incoming
from bench.measure import Measurement, compared, pairs
from bench.place import MASTER_KEY, BenchServers
from gateway.intake.partners import CLOUD_EVENT, SIGNAL_TYPE, source_of
from store.crypto.webhook_signatures import sign
from store.messages.inbox import Inbox, message_id_for
from store.partners.seed import seed
from workers.embedded.temporal import free_port

CONNECTIONS: Final = 32

REQUESTS: Final = 2000

ROUNDS: Final = 5

CASES: Final = 100

SENDERS: Final = (
    *("clinic-tripoli", "exit-authority", "embassy-nga", "partner-012", "partner-023"),
    *("partner-017", "community-liaison", "detention-authority", "partner-031", "transit-mission"),
)

FLOOD_CONNECTIONS: Final = 64

CALM: Final = "carrier"

CALLS: Final = 300

PAUSE_S: Final = 0.01

FLOOD_ROUNDS: Final = 3

PROJECT: Final = Path(__file__).parents[1]

ROUTE: Final = "INSERT INTO referral_tokens VALUES ($1, $2, $3, $4)"


@dataclass
class BenchPartners:
    """Partners with their secrets and the tokens of their referrals."""

    place: BenchServers
    secrets: dict[str, str]
    tokens: dict[str, list[str]]

    @classmethod
    async def of(cls, place: BenchServers) -> BenchPartners:
        secrets = dict(await seed(place.pool, place.keys.master))
        partners = cls(place, secrets, {name: [] for name in (*SENDERS, CALM)})
        inbox = Inbox(place.pool, place.keys)
        for number in range(CASES):
            begun = await inbox.start_case(incoming(None, message_id_for("bench", f"{number}"), *MESSAGES[0]))
            for name, tokens in partners.tokens.items():
                tokens.append(uuid4().hex)
                await place.pool.execute(ROUTE, tokens[-1], begun.stream_id, str(uuid4()), name)
        return partners

    def requests(self, port: int, names: tuple[str, ...], wanted: int | None = None) -> Iterator[bytes]:
        """Yields ``wanted`` signed progress signals, or an endless series; each is new, from the partners in turn."""
        for number, name in zip(count() if wanted is None else range(wanted), cycle(names), strict=False):
            yield self._request(port, name, self.tokens[name][number % CASES])

    def _request(self, port: int, name: str, token: str) -> bytes:
        own_id = str(uuid4())
        data = {"signal_id": own_id, "referral_token": token, "signal_type": "PROGRESS", "outcome_code": "MORE_INFO"}
        event = {
            "specversion": "1.0",
            "id": own_id,
            "source": source_of(name),
            "type": SIGNAL_TYPE,
            "datacontenttype": "application/json",
            "data": {**data, "occurred_at": "2026-11-23T09:00:00Z"},
        }
        body = json.dumps(event).encode()
        headers = {**sign(self.secrets[name], own_id, int(time.time()), body), "content-type": CLOUD_EVENT}
        return post(port, f"/api/v1/inbox/{name}", headers, body)


@asynccontextmanager
async def process(port: int, *arguments: str, **environment: str) -> AsyncIterator[None]:
    """Runs a server process: enters when it listens, and kills it at the end."""
    variables = {**os.environ, "PYTHONPATH": str(PROJECT), **environment}
    no_output = asyncio.subprocess.DEVNULL
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", *arguments, env=variables, stdout=no_output, stderr=no_output
    )
    try:
        await _listens(port)
        yield
    finally:
        started.kill()
        await started.wait()


async def _listens(port: int) -> None:
    async with asyncio.timeout(180):
        while True:
            try:
                connection = await connect_to(port)
                await connection.ask(b"GET /healthz HTTP/1.1\r\nhost: here\r\n\r\n")
            except (BrokenConnectionError, OSError):
                await asyncio.sleep(0.1)
            else:
                return


@asynccontextmanager
async def gateway(place: BenchServers) -> AsyncIterator[int]:
    """Runs the gateway as an installation does, and yields its port."""
    port = free_port()
    settings = {"AWDA_DATABASE_URL": place.where.dsn, "AWDA_PORT": str(port)}
    key = base64.b64encode(MASTER_KEY).decode()
    async with process(port, "workers.main", "gateway", AWDA_MASTER_KEY=key, **settings):
        yield port


async def run(partners: BenchPartners, port: int) -> LoadResult:
    """Prepares and sends the requests of one round. Raises ``RuntimeError`` if any was not accepted."""
    prepared = list(partners.requests(port, SENDERS, REQUESTS))
    result = await send_all(port, prepared, CONNECTIONS)
    if set(result.statuses) != {202}:
        raise RuntimeError(f"some requests were not accepted; responses by status: {dict(result.statuses)}")
    return result


async def compared_with_minimum(partners: BenchPartners, port: int, bare_port: int) -> list[Measurement]:
    ours, theirs = partial(run, partners, port), partial(run, partners, bare_port)
    await ours(), await theirs()
    rounds = await pairs(ours, theirs, ROUNDS)
    rate, rates = compared([(mine.rate, other.rate) for mine, other in rounds])
    slowest, waits = compared(
        [(mine.percentile(99) * 1000, other.percentile(99) * 1000) for mine, other in rounds], " ms"
    )
    to = f"relative to a minimal endpoint, {CONNECTIONS} connections"
    return [
        Measurement(f"partner endpoint: requests per second {to}", rate, "ratio", 0.6, at_least=True, detail=rates),
        Measurement(f"partner endpoint: p99 response time {to}", slowest, "ratio", 3.0, at_least=False, detail=waits),
    ]


async def under_a_flood(partners: BenchPartners, port: int) -> Measurement:
    """Compares the 99th percentile of one partner's response times with and without another partner that floods."""

    async def calm() -> LoadResult:
        return await _calls(partners, port)

    async def flooded() -> LoadResult:
        flood = partners.requests(port, SENDERS[:1])
        quiet = asyncio.create_task(calm())
        await send_until(port, lambda: next(flood), FLOOD_CONNECTIONS, quiet)
        return await quiet

    await calm()
    rounds = await pairs(flooded, calm, FLOOD_ROUNDS)
    waits: list[tuple[float, float]] = [(one.percentile(99) * 1000, two.percentile(99) * 1000) for one, two in rounds]
    slower, detail = compared(waits, " ms")
    name = f"partner endpoint: p99 response time while another partner floods, {FLOOD_CONNECTIONS} connections"
    return Measurement(name, slower, "ratio", 2.0, at_least=False, detail=detail)


async def _calls(partners: BenchPartners, port: int) -> LoadResult:
    result = LoadResult()
    async with connections_to(port, 1) as (connection,):
        for request in list(partners.requests(port, (CALM,), CALLS)):
            result.note(await connection.ask(request))
            await asyncio.sleep(PAUSE_S)
    return result


async def measure(place: BenchServers) -> list[Measurement]:
    """Returns ratios of requests per second and of response times."""
    await owner(place, TABLE)
    partners, bare_port = await BenchPartners.of(place), free_port()
    async with gateway(place) as port, process(bare_port, "bench.bare", str(bare_port), place.where.dsn):
        found: list[Any] = await compared_with_minimum(partners, port, bare_port)
        return [*found, await under_a_flood(partners, port)]
