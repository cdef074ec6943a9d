"""What a partner signs: the body it sends, or, where it only asks for something, the line with which it asks."""

from __future__ import annotations

from starlette.requests import Request

from store.crypto.webhook_signatures import HEADERS


def signed_headers(request: Request) -> dict[str, str]:
    """The headers that count; one that was sent twice becomes one that fits nothing."""
    return {name: ", ".join(request.headers.getlist(name)) for name in (*HEADERS, "content-type")}


def request_line(request: Request) -> bytes:
    """What a partner signs that asks for something: the method and the target, as they were sent."""
    path, query = bytes(request.scope["raw_path"]), bytes(request.scope["query_string"])
    return request.method.encode() + b" " + path + (b"?" + query if query else b"")
