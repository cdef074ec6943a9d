"""Rate limits of partners, applied before any other work is spent on a request.

A partner that is the only caller is not limited. As soon as others call, each partner has a token bucket of its own, so
that one partner's flood slows no other. Backpressure comes before rejection: a partner above its rate first has its
requests delayed, a few at a time, and gets 429 when the delay would exceed ``HELD_S``.
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

RATE: Final = 200.0  # messages per second and partner, while others call too

BURST: Final = 200.0  # size of a bucket

HELD_S: Final = 1.0  # longest delay of a request before it is rejected

AT_ONCE: Final = 2  # concurrent requests of a partner that is above its rate

HASTY: Final = 0.1  # share of the burst after which a partner counts as above its rate

KEPT: Final = 4096  # buckets kept in memory

ALONE_AFTER_S: Final = 2.0  # without a call from others, a partner is the only caller

OF_PARTNERS: Final = re.compile(r"/api/v1/(inbox|partners)/([^/]+)(?:/.*)?")

NAME: Final = 64  # characters of a partner's id that are used as the key of its bucket


@dataclass(slots=True)
class TokenBucket:
    """Fills at a steady rate up to its size. Each request takes one token; the level may fall below zero."""

    level: float
    filled_at: float


class TokenBuckets:
    """One bucket per name. The least recently used are dropped, which only makes them full again."""

    def __init__(self, rate: float = RATE, size: float = BURST) -> None:
        self._rate, self._size = rate, size
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, name: str, now: float) -> float:
        """Takes one token at ``now`` (seconds) and returns the seconds until it is available.

        A wait beyond ``HELD_S`` takes no token.
        """
        bucket = self._bucket(name, now)
        bucket.level = min(self._size, bucket.level + (now - bucket.filled_at) * self._rate)
        bucket.filled_at = now
        wait_s = max(0.0, (1 - bucket.level) / self._rate)
        if wait_s <= HELD_S:
            bucket.level -= 1
        return wait_s

    def hasty(self, name: str) -> bool:
        """Returns whether this name has been above its rate for a while."""
        bucket = self._buckets.get(name)
        return bucket is not None and bucket.level < self._size * (1 - HASTY)

    def _bucket(self, name: str, now: float) -> TokenBucket:
        bucket = self._buckets.setdefault(name, TokenBucket(self._size, now))
        self._buckets.move_to_end(name)
        if len(self._buckets) > KEPT:
            self._buckets.popitem(last=False)
        return bucket


class ConcurrencyLimit:
    """Limits the concurrent requests of one name; further ones wait in the order of their arrival."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._requests: Counter[str] = Counter()

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """Waits for a free slot and holds it."""
        self._requests[name] += 1
        try:
            async with self._slots.setdefault(name, asyncio.Semaphore(self._at_once)):
                yield
        finally:
            self._requests[name] -= 1
            if not self._requests[name]:
                del self._requests[name], self._slots[name]


@dataclass(slots=True)
class LastCallers:
    """The last caller, and when another one last called."""

    name: str = ""
    at: float = float("-inf")
    other_at: float = float("-inf")

    def alone(self, name: str, now: float) -> bool:
        """Notes a call. Returns whether no other caller was seen within the last ``ALONE_AFTER_S`` seconds."""
        if name != self.name:
            self.name, self.other_at = name, self.at
        self.at = now
        return now - self.other_at > ALONE_AFTER_S


class RateLimitMiddleware:
    """ASGI middleware in front of the application: rejects excess requests before the body is read."""

    def __init__(
        self,
        app: ASGIApp,
        rate: float = RATE,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.app, self._clock, self._sleep = app, clock, sleep
        self._buckets = TokenBuckets(rate, max(BURST, rate))
        self._callers, self._concurrency = LastCallers(), ConcurrencyLimit()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/healthz":
            await self.app(scope, receive, send)
            return
        partner = OF_PARTNERS.fullmatch(scope["path"])
        if not partner:
            self._callers.alone("", self._clock())
            await self.app(scope, receive, send)
        elif partner[1] == "inbox" and _declared(scope) > PARTNER_BODY:
            detail = f"The body may have at most {PARTNER_BODY} bytes."
            await problem("too-large", detail, {"Connection": "close"})(scope, receive, send)
        else:
            await self._limited(f"{partner[2][:NAME]} {_address(scope)}", scope, receive, send)

    async def _limited(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        now = self._clock()
        wait_s = self._buckets.take(name, now)
        if self._callers.alone(name, now) or not self._buckets.hasty(name):
            await self.app(scope, receive, send)
            return
        if wait_s:
            await self._sleep(min(wait_s, HELD_S))
        if wait_s > HELD_S:
            detail = (
                "Above the rate limit of one partner. Wait for the seconds in Retry-After, then send the same again."
            )
            await problem("too-many", detail, {"Retry-After": str(math.ceil(wait_s))})(scope, receive, send)
            return
        async with self._concurrency.of(name):
            await self.app(scope, receive, send)


def _address(scope: Scope) -> str:
    """Returns the client's address; behind a proxy, the one that the proxy forwards."""
    client = scope.get("client")
    return client[0] if client else ""


def _declared(scope: Scope) -> int:
    """Returns the declared length of the body. Only a first check: the bytes are counted when they are read."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value[:20]) if value.isdigit() else 0
    return 0
