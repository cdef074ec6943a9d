"""What a partner signs: the body of a request, or, of a request without one, its request line."""

from __future__ import annotations

from starlette.requests import Request

from store.crypto.webhook_signatures import HEADERS


def signed_headers(request: Request) -> dict[str, str]:
    """Returns the headers that are verified. A header that was sent twice is joined, so that it never verifies."""
    return {name: ", ".join(request.headers.getlist(name)) for name in (*HEADERS, "content-type")}


def request_line(request: Request) -> bytes:
    """Returns what a partner signs of a request without a body: method and target, exactly as they were sent."""
    path, query = bytes(request.scope["raw_path"]), bytes(request.scope["query_string"])
    return request.method.encode() + b" " + path + (b"?" + query if query else b"")
