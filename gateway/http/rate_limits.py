"""Limits that are taken before any work: how much one partner may send, how large, and how long it may take.

A partner that is alone may use all there is. As soon as anybody else calls, each partner has its own share, so that
a flood by one slows no other: it is slowed down itself, a few of its requests at a time, before it is turned away.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.problems import problem
from gateway.intake.partners import PARTNER_BODY

RATE: Final = 200.0  # messages a second for one partner, while others call too

BURST: Final = 200.0

HELD_S: Final = 1.0  # whoever is too fast is slowed down first, and turned away when that would take longer

AT_ONCE: Final = 2  # requests under way at the same time of a partner that sends faster than its rate

HASTY: Final = 0.1  # share of the burst after which a partner counts as that

KEPT: Final = 4096  # buckets remembered

ALONE_AFTER_S: Final = 2.0

OF_PARTNERS: Final = re.compile(r"/api/v1/(inbox|partners)/([^/]+)(?:/.*)?")

NAME: Final = 64  # characters of a partner's name that tell buckets apart


@dataclass(slots=True)
class TokenBucket:
    """Fills at a steady rate up to its size; each request takes one, also one that is not there yet."""

    level: float
    filled_at: float


class TokenBuckets:
    """One bucket a name. The least used are forgotten, which only makes them full again."""

    def __init__(self, rate: float = RATE, size: float = BURST) -> None:
        self._rate, self._size = rate, size
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, name: str, now: float) -> float:
        """Take one at ``now`` (seconds). Seconds until it is there; who would wait beyond ``HELD_S`` has taken none."""
        bucket = self._bucket(name, now)
        bucket.level = min(self._size, bucket.level + (now - bucket.filled_at) * self._rate)
        bucket.filled_at = now
        wait_s = max(0.0, (1 - bucket.level) / self._rate)
        if wait_s <= HELD_S:
            bucket.level -= 1
        return wait_s

    def hasty(self, name: str) -> bool:
        """Whether it has been taking faster than it may for ever."""
        bucket = self._buckets.get(name)
        return bucket is not None and bucket.level < self._size * (1 - HASTY)

    def _bucket(self, name: str, now: float) -> TokenBucket:
        bucket = self._buckets.setdefault(name, TokenBucket(self._size, now))
        self._buckets.move_to_end(name)
        if len(self._buckets) > KEPT:
            self._buckets.popitem(last=False)
        return bucket


class ConcurrencyLimit:
    """So many requests under one name are under way at once; its others wait, in the order in which they came."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._lanes: dict[str, asyncio.Semaphore] = {}
        self._here: Counter[str] = Counter()

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it."""
        self._here[name] += 1
        try:
            async with self._lanes.setdefault(name, asyncio.Semaphore(self._at_once)):
                yield
        finally:
            self._here[name] -= 1
            if not self._here[name]:
                del self._here[name], self._lanes[name]


@dataclass(slots=True)
class LastCallers:
    """Who called last, and when anybody else did."""

    name: str = ""
    at: float = float("-inf")
    other_at: float = float("-inf")

    def alone(self, name: str, now: float) -> bool:
        """Note a call. Whether nobody else called within two seconds, so that there is nobody to be slowed."""
        if name != self.name:
            self.name, self.other_at = name, self.at
        self.at = now
        return now - self.other_at > ALONE_AFTER_S


class RateLimitMiddleware:
    """Stands in front of everything. What it turns away has cost next to nothing."""

    def __init__(
        self,
        app: ASGIApp,
        rate: float = RATE,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.app, self._clock, self._sleep = app, clock, sleep
        self._buckets = TokenBuckets(rate, max(BURST, rate))
        self._company, self._turns = LastCallers(), ConcurrencyLimit()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/healthz":
            await self.app(scope, receive, send)
            return
        partner = OF_PARTNERS.fullmatch(scope["path"])
        if not partner:
            self._company.alone("", self._clock())
            await self.app(scope, receive, send)
        elif partner[1] == "inbox" and _declared(scope) > PARTNER_BODY:
            said = f"a body may have {PARTNER_BODY} bytes"
            await problem("too-large", said, {"Connection": "close"})(scope, receive, send)
        else:
            await self._in_turn(f"{partner[2][:NAME]} {_address(scope)}", scope, receive, send)

    async def _in_turn(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        now = self._clock()
        wait_s = self._buckets.take(name, now)
        if self._company.alone(name, now) or not self._buckets.hasty(name):
            await self.app(scope, receive, send)
            return
        if wait_s:
            await self._sleep(min(wait_s, HELD_S))
        if wait_s > HELD_S:
            said = "more at once than one partner may send: wait as long as Retry-After says, then send the same again"
            await problem("too-many", said, {"Retry-After": str(math.ceil(wait_s))})(scope, receive, send)
            return
        async with self._turns.of(name):
            await self.app(scope, receive, send)


def _address(scope: Scope) -> str:
    """Where a request came from, as far as the server knows: behind a proxy, what the proxy forwards."""
    client = scope.get("client")
    return client[0] if client else ""


def _declared(scope: Scope) -> int:
    """How long the body is said to be. What is said is not relied on: the reading counts."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value[:20]) if value.isdigit() else 0
    return 0
