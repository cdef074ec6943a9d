"""A client that costs little: prepared requests on held connections, so that a server is measured, not its caller."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, cast

import httptools

HOST: Final = "127.0.0.1"


class BrokenConnectionError(ConnectionError):
    """The line broke before the answer was whole."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. ``seconds``: from the first byte sent to the last byte received."""

    status: int
    body: bytes
    seconds: float
    retry_after: str | None = None


class HttpConnection(asyncio.Protocol):
    """One connection that is kept: a request, its answer, the next request."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.waiting: asyncio.Future[Reply] | None = None
        self.sent_at = 0.0
        self._begin()

    def _begin(self) -> None:
        self.parser, self.body, self.headers = httptools.HttpResponseParser(self), bytearray(), dict[bytes, bytes]()

    async def ask(self, request: bytes) -> Reply:
        """Send, and wait for the answer. Raises ``BrokenConnectionError``."""
        if self.transport is None or self.transport.is_closing():
            raise BrokenConnectionError
        self.waiting = asyncio.get_running_loop().create_future()
        self.sent_at = perf_counter()
        self.transport.write(request)
        return await self.waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop has a transport of its own

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self.waiting and not self.waiting.done():
            self.waiting.set_exception(BrokenConnectionError())

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        again = self.headers.get(b"retry-after")
        status, seconds = self.parser.get_status_code(), perf_counter() - self.sent_at
        reply = Reply(status, bytes(self.body), seconds, again.decode() if again else None)
        self._begin()
        if self.waiting and not self.waiting.done():
            self.waiting.set_result(reply)


async def line(port: int) -> HttpConnection:
    """A new connection to a server on this machine."""
    _, made = await asyncio.get_running_loop().create_connection(HttpConnection, HOST, port)
    return made


@asynccontextmanager
async def lines(port: int, count: int) -> AsyncIterator[list[HttpConnection]]:
    """So many connections, closed afterwards."""
    made = [await line(port) for _ in range(count)]
    try:
        yield made
    finally:
        for one in made:
            if one.transport:
                one.transport.close()


def post(port: int, path: str, headers: dict[str, str], body: bytes) -> bytes:
    """A request, ready to be sent."""
    told = {"host": f"{HOST}:{port}", "content-length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


@dataclass
class LoadResult:
    """What came of sending many requests. ``waits``: how long each answer took (seconds)."""

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.waits) / self.seconds

    def percentile(self, share: float) -> float:
        """The wait (seconds) that so many per cent of the answers did not exceed."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))]

    def note(self, reply: Reply) -> None:
        self.waits.append(reply.seconds)
        self.statuses[reply.status] += 1


async def send_all(port: int, requests: Iterable[bytes], connections: int) -> LoadResult:
    """Send all of them over so many connections, each asking the next thing when it has been answered."""
    spell, rest = LoadResult(), iter(requests)

    async def through(one: HttpConnection) -> None:
        for request in rest:
            spell.note(await one.ask(request))

    async with lines(port, connections) as made:
        began = perf_counter()
        await asyncio.gather(*(through(one) for one in made))
        spell.seconds = perf_counter() - began
    return spell


async def send_until(port: int, request: Callable[[], bytes], connections: int, done: Awaitable[object]) -> LoadResult:
    """Send as fast as it goes over so many connections, until something else is done."""
    spell = LoadResult()

    async def through(one: HttpConnection) -> None:
        while True:
            spell.note(await one.ask(request()))

    async with lines(port, connections) as made:
        began = perf_counter()
        flood = [asyncio.create_task(through(one)) for one in made]
        try:
            await done
        finally:
            for each in flood:
                each.cancel()
            await asyncio.gather(*flood, return_exceptions=True)
            spell.seconds = perf_counter() - began
    return spell
