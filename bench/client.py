"""A fast HTTP client: prepared requests on persistent connections, so that the client does not limit the server."""

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
    """The connection closed before the response was complete."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One response. ``seconds``: the time from the first byte sent to the last byte received."""

    status: int
    body: bytes
    seconds: float
    retry_after: str | None = None


class HttpConnection(asyncio.Protocol):
    """One persistent connection that sends one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.waiting: asyncio.Future[Reply] | None = None
        self.sent_at = 0.0
        self._begin()

    def _begin(self) -> None:
        self.parser, self.body, self.headers = httptools.HttpResponseParser(self), bytearray(), dict[bytes, bytes]()

    async def ask(self, request: bytes) -> Reply:
        """Sends a request and returns its response. Raises ``BrokenConnectionError``."""
        if self.transport is None or self.transport.is_closing():
            raise BrokenConnectionError
        self.waiting = asyncio.get_running_loop().create_future()
        self.sent_at = perf_counter()
        self.transport.write(request)
        return await self.waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transport class differs

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


async def connect_to(port: int) -> HttpConnection:
    """Returns a new connection to a server on this machine."""
    _, connection = await asyncio.get_running_loop().create_connection(HttpConnection, HOST, port)
    return connection


@asynccontextmanager
async def connections_to(port: int, count: int) -> AsyncIterator[list[HttpConnection]]:
    """Yields connections and closes them afterwards."""
    opened = [await connect_to(port) for _ in range(count)]
    try:
        yield opened
    finally:
        for connection in opened:
            if connection.transport:
                connection.transport.close()


def post(port: int, path: str, headers: dict[str, str], body: bytes) -> bytes:
    """Returns the bytes of a POST request."""
    fields = {"host": f"{HOST}:{port}", "content-length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


@dataclass
class LoadResult:
    """The result of sending many requests. ``waits``: the response time of each (seconds)."""

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Returns the responses per second."""
        return len(self.waits) / self.seconds

    def percentile(self, share: float) -> float:
        """Returns the response time (seconds) that ``share`` per cent of the responses did not exceed."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))]

    def note(self, reply: Reply) -> None:
        self.waits.append(reply.seconds)
        self.statuses[reply.status] += 1


async def send_all(port: int, requests: Iterable[bytes], connections: int) -> LoadResult:
    """Sends all requests over concurrent connections, one request at a time on each."""
    result, remaining = LoadResult(), iter(requests)

    async def send_on(connection: HttpConnection) -> None:
        for request in remaining:
            result.note(await connection.ask(request))

    async with connections_to(port, connections) as opened:
        started = perf_counter()
        await asyncio.gather(*(send_on(connection) for connection in opened))
        result.seconds = perf_counter() - started
    return result


async def send_until(port: int, request: Callable[[], bytes], connections: int, done: Awaitable[object]) -> LoadResult:
    """Sends as fast as possible over concurrent connections, until ``done`` has finished."""
    result = LoadResult()

    async def send_on(connection: HttpConnection) -> None:
        while True:
            result.note(await connection.ask(request()))

    async with connections_to(port, connections) as opened:
        started = perf_counter()
        flood = [asyncio.create_task(send_on(connection)) for connection in opened]
        try:
            await done
        finally:
            for task in flood:
                task.cancel()
            await asyncio.gather(*flood, return_exceptions=True)
            result.seconds = perf_counter() - started
    return result
