"""Limits that are taken before any work: how much one partner may send, how large, and how long it may take.

A partner that is alone may use all there is. As soon as anybody else calls, each partner has its own share, so that
a flood by one slows no other.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.intake import PARTNER_BODY
from gateway.problems import problem

RATE: Final = 200.0  # messages a second for one partner, while others call too
BURST: Final = 200.0
KEPT: Final = 4096  # buckets remembered
ALONE_AFTER_S: Final = 2.0
OF_PARTNERS: Final = re.compile(r"/api/v1/(inbox|partners)/([^/]+)(?:/.*)?")
NAME: Final = 64  # characters of a partner's name that tell buckets apart


@dataclass(slots=True)
class Bucket:
    """Fills at a steady rate up to its size; each request takes one."""

    level: float
    filled_at: float


class Buckets:
    """One bucket a name. The least used are forgotten, which only makes them full again."""

    def __init__(self, rate: float = RATE, size: float = BURST) -> None:
        self._rate, self._size = rate, size
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, name: str, now: float) -> float:
        """Take one. Seconds to wait until there is one, or nought if it was taken; ``now`` in seconds."""
        bucket = self._bucket(name, now)
        bucket.level = min(self._size, bucket.level + (now - bucket.filled_at) * self._rate)
        bucket.filled_at = now
        if bucket.level < 1:
            return (1 - bucket.level) / self._rate
        bucket.level -= 1
        return 0.0

    def _bucket(self, name: str, now: float) -> Bucket:
        bucket = self._buckets.setdefault(name, Bucket(self._size, now))
        self._buckets.move_to_end(name)
        if len(self._buckets) > KEPT:
            self._buckets.popitem(last=False)
        return bucket


@dataclass(slots=True)
class Company:
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


class Gate:
    """Stands in front of everything. What it turns away has cost next to nothing."""

    def __init__(self, app: ASGIApp, rate: float = RATE, clock: Callable[[], float] = monotonic) -> None:
        self.app, self._clock = app, clock
        self._buckets = Buckets(rate, max(BURST, rate))
        self._company = Company()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/healthz":
            await self.app(scope, receive, send)
            return
        partner = OF_PARTNERS.fullmatch(scope["path"])
        wait_s = self._wait(f"{partner[2][:NAME]} {_address(scope)}" if partner else "")
        if partner and wait_s:
            again = str(math.ceil(wait_s))
            said = "more at once than one partner may send: wait as long as Retry-After says, then send the same again"
            await problem("too-many", said, {"Retry-After": again})(scope, receive, send)
        elif partner and partner[1] == "inbox" and _declared(scope) > PARTNER_BODY:
            said = f"a body may have {PARTNER_BODY} bytes"
            await problem("too-large", said, {"Connection": "close"})(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _wait(self, name: str) -> float:
        now = self._clock()
        alone = self._company.alone(name, now)
        wait_s = self._buckets.take(name, now) if name else 0.0
        return 0.0 if alone else wait_s


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
