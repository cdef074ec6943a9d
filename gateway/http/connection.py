"""Connection limits: the size of a request's header section, and the time in which it must arrive.

The server reads the header section into memory until it is complete, and has no limit of its own.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.http.problems import SECURITY_HEADERS, problem

HEAD: Final = 32 * 1024  # bytes of a header section

HEAD_WITHIN_S: Final = 10.0  # seconds in which it must be complete


class HeaderTooLargeError(Exception):
    """The header section exceeds ``HEAD`` bytes."""


class ConnectionLimits(HttpToolsProtocol):
    """HTTP/1.1 with limits on memory and time, so that no client can exhaust memory or hold idle connections."""

    _head_size = 0
    _incomplete = 0
    _timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timeout()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timeout()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts the bytes that complete nothing (header, trailer or chunk size without end) and stops at the limit."""
        self._incomplete += len(data)
        super().data_received(data)
        if self._incomplete > HEAD and not self.transport.is_closing():
            self._head_size = self._incomplete
            self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_size = 0
        self._start_timeout()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_size += len(name) + len(value)
        if self._head_size > HEAD:
            raise HeaderTooLargeError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_timeout()
        self._incomplete = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._incomplete = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._incomplete = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (the parser's own text is not shown)
        """Answers an unreadable request with a problem document and closes the connection."""
        slug, detail = "bad-request", "The request is not valid HTTP/1.1 and could not be read."
        if self._head_size > HEAD:
            slug, detail = (
                "head-too-large",
                f"All headers together may have at most {HEAD} bytes. Send fewer or shorter ones.",
            )
        response = problem(slug, detail, {"Connection": "close"})
        head = [*response.raw_headers, *SECURITY_HEADERS]
        lines = [STATUS_LINE[response.status_code], *(name + b": " + value + b"\r\n" for name, value in head), b"\r\n"]
        self.transport.write(b"".join(lines) + bytes(response.body))
        self.transport.close()

    def _start_timeout(self) -> None:
        self._stop_timeout()
        self._timeout = self.loop.call_later(HEAD_WITHIN_S, self.transport.close)

    def _stop_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
