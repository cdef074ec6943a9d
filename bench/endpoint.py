"""The partner endpoint against its floor: a bare endpoint on the same server, which only inserts one row.

Both are processes of their own. Thirty-two connections send signed signals of several partners, prepared beforehand.
And a flood: how much slower a partner is answered while another one sends as fast as it can.
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
from bench.client import BrokenConnectionError, LoadResult, line, lines, post, send_all, send_until
from bench.engine import SAID, incoming
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

THINKS_S: Final = 0.01

FLOOD_ROUNDS: Final = 3

PROJECT: Final = Path(__file__).parents[1]

ROUTE: Final = "INSERT INTO referral_tokens VALUES ($1, $2, $3, $4)"


@dataclass
class BenchPartners:
    """Partners with secrets, and what each of them was asked."""

    place: BenchServers
    secrets: dict[str, str]
    tokens: dict[str, list[str]]

    @classmethod
    async def of(cls, place: BenchServers) -> BenchPartners:
        secrets = dict(await seed(place.pool, place.keys.master))
        partners = cls(place, secrets, {name: [] for name in (*SENDERS, CALM)})
        inbox = Inbox(place.pool, place.keys)
        for number in range(CASES):
            begun = await inbox.start_case(incoming(None, message_id_for("bench", f"{number}"), *SAID[0]))
            for name, tokens in partners.tokens.items():
                tokens.append(uuid4().hex)
                await place.pool.execute(ROUTE, tokens[-1], begun.stream_id, str(uuid4()), name)
        return partners

    def requests(self, port: int, names: tuple[str, ...], wanted: int | None = None) -> Iterator[bytes]:
        """So many signed reports of progress, or as many as are asked for; each new, from each partner in turn."""
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
async def process(port: int, *told: str, **environment: str) -> AsyncIterator[None]:
    """A server of ours, from when it listens until it is ended."""
    known = {**os.environ, "PYTHONPATH": str(PROJECT), **environment}
    quiet = asyncio.subprocess.DEVNULL
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", *told, env=known, stdout=quiet, stderr=quiet
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
                made = await line(port)
                await made.ask(b"GET /healthz HTTP/1.1\r\nhost: here\r\n\r\n")
            except (BrokenConnectionError, OSError):
                await asyncio.sleep(0.1)
            else:
                return


@asynccontextmanager
async def gateway(place: BenchServers) -> AsyncIterator[int]:
    """The gateway as an installation runs it."""
    port = free_port()
    known = {"AWDA_DATABASE_URL": place.where.dsn, "AWDA_PORT": str(port)}
    key = base64.b64encode(MASTER_KEY).decode()
    async with process(port, "workers.main", "gateway", AWDA_MASTER_KEY=key, **known):
        yield port


async def run(partners: BenchPartners, port: int) -> LoadResult:
    """One round: prepared, then sent. Raises if anything was not taken."""
    prepared = list(partners.requests(port, SENDERS, REQUESTS))
    spell = await send_all(port, prepared, CONNECTIONS)
    if set(spell.statuses) != {202}:
        raise RuntimeError(f"not everything was taken: {dict(spell.statuses)}")
    return spell


async def against_the_floor(partners: BenchPartners, port: int, bare_port: int) -> list[Measurement]:
    ours, theirs = partial(run, partners, port), partial(run, partners, bare_port)
    await ours(), await theirs()
    rounds = await pairs(ours, theirs, ROUNDS)
    rate, rates = compared([(mine.rate, other.rate) for mine, other in rounds])
    slowest, waits = compared(
        [(mine.percentile(99) * 1000, other.percentile(99) * 1000) for mine, other in rounds], " ms"
    )
    what = f"{CONNECTIONS} connections, against one bare row"
    return [
        Measurement(f"partner endpoint, {what}: requests", rate, "ratio", 0.6, at_least=True, detail=rates),
        Measurement(f"partner endpoint, {what}: p99", slowest, "ratio", 3.0, at_least=False, detail=waits),
    ]


async def under_a_flood(partners: BenchPartners, port: int) -> Measurement:
    """The p99 of one partner that calls now and then, alone and while another one floods."""

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
    name = f"p99 of a partner while another one floods, {FLOOD_CONNECTIONS} connections"
    return Measurement(name, slower, "ratio", 2.0, at_least=False, detail=detail)


async def _calls(partners: BenchPartners, port: int) -> LoadResult:
    spell = LoadResult()
    async with lines(port, 1) as (one,):
        for request in list(partners.requests(port, (CALM,), CALLS)):
            spell.note(await one.ask(request))
            await asyncio.sleep(THINKS_S)
    return spell


async def measure(place: BenchServers) -> list[Measurement]:
    """Ratios of requests a second, and of waits."""
    await owner(place, TABLE)
    partners, bare_port = await BenchPartners.of(place), free_port()
    async with gateway(place) as port, process(bare_port, "bench.bare", str(bare_port), place.where.dsn):
        found: list[Any] = await against_the_floor(partners, port, bare_port)
        return [*found, await under_a_flood(partners, port)]
