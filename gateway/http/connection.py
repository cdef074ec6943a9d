"""A connection that is patient, but not for ever: how large the head of a request may be, and how long it may take.

The server reads a head into memory until it is complete, and has no limit of its own.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.http.problems import HARDENED, problem

HEAD: Final = 32 * 1024

HEAD_WITHIN_S: Final = 10.0


class HeaderTooLargeError(Exception):
    """More headers than anybody needs."""


class ConnectionLimits(HttpToolsProtocol):
    """HTTP/1.1, with limits where a stranger could otherwise fill our memory or hold a connection for nothing."""

    _read = 0
    _unused = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes that lead to nothing (a head, a trailer, a chunk's size without end) are counted, and then enough."""
        self._unused += len(data)
        super().data_received(data)
        if self._unused > HEAD and not self.transport.is_closing():
            self._read = self._unused
            self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._read = 0
        self._wait_for_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._read += len(name) + len(value)
        if self._read > HEAD:
            raise HeaderTooLargeError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        self._unused = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unused = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unused = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (what the parser says is for nobody)
        """What cannot be read as a request ends the connection, with a reason."""
        slug, said = "bad-request", "the request could not be read"
        if self._read > HEAD:
            slug, said = "head-too-large", f"all headers together may have {HEAD} bytes"
        answer = problem(slug, said, {"Connection": "close"})
        head = [*answer.raw_headers, *HARDENED]
        lines = [STATUS_LINE[answer.status_code], *(name + b": " + value + b"\r\n" for name, value in head), b"\r\n"]
        self.transport.write(b"".join(lines) + bytes(answer.body))
        self.transport.close()

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._late = self.loop.call_later(HEAD_WITHIN_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
