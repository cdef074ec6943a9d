"""The endpoint for partners' signals: one signed CloudEvent per request, acknowledged after the commit."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic_core import to_json
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.dependencies import intake_of
from gateway.http.problems import ProblemError, declined, problem_of
from gateway.http.request_body import read_body
from gateway.http.signed_request import signed_headers
from gateway.intake.partners import CLOUD_EVENT, PARTNER_BODY, RECEIVED
from gateway.intake.submission import DeclinedError
from store.crypto.webhook_signatures import HEADERS, PUBLIC
from store.messages.receipts import jwk, published

router = APIRouter(prefix="/api/v1", tags=["partners"])

open_router = APIRouter(tags=["reference"])

HEADER: Final[dict[str, Any]] = {"in": "header", "required": True, "schema": {"type": "string"}}

EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "description": "The same as the header webhook-id"},
        "source": {"type": "string", "description": "awda:partner:{partner_id}"},
        "type": {"const": "org.iom.vhr.signal.v1"},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "data": {"type": "object", "description": "The signal; its fields are at /schemas/ReceivePartnerSignal.json"},
    },
}

DESCRIBED: Final[dict[str, Any]] = {
    "parameters": [
        {"name": "partner_id", "in": "path", "required": True, "schema": {"type": "string"}},
        *({"name": name, **HEADER} for name in HEADERS),
    ],
    "requestBody": {"required": True, "content": {CLOUD_EVENT: {"schema": EVENT}}},
}


# The path parameter is read from the request: as a parameter of the function it would be validated, which costs time.
@router.post("/inbox/{partner_id}", summary="Send a signal", status_code=202, openapi_extra=DESCRIBED)  # noqa: FAST003
async def receive(request: Request) -> JSONResponse:
    """Accepts a signed signal about a referral. The response is the same whatever the signal is about."""
    body = await read_body(request, PARTNER_BODY)
    answer = await intake_of(request).partners.receive(request.path_params["partner_id"], signed_headers(request), body)
    return _Received({"receipt": answer.receipt, "status": RECEIVED}, 202)


class _Received(JSONResponse):
    """The response of the busiest route, with the faster JSON writer."""

    def render(self, content: object) -> bytes:
        return to_json(content)


class InboxFastPath:
    """Serves the busiest route before the application's routing, which takes as long as accepting a signal."""

    INBOX: Final = re.compile(r"/api/v1/inbox/([^/]+)")

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive_part: Receive, send: Send) -> None:
        found = self.INBOX.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if found is None:
            await self.app(scope, receive_part, send)
            return
        scope["path_params"] = {"partner_id": found[1]}
        answer = await _answer(Request(scope, receive_part))
        await answer(scope, receive_part, send)


async def _answer(request: Request) -> JSONResponse:
    try:
        return await receive(request)
    except DeclinedError as error:
        return declined(error)
    except ProblemError as error:
        return problem_of(error)


@open_router.get("/partners/receipt-key", summary="Get the keys that sign receipts")
async def receipt_key(request: Request) -> JSONResponse:
    """Returns the public keys with which receipts are verified, newest first, as a JWK Set."""
    keys = await published(intake_of(request).pool)
    texts = {kid: PUBLIC + b64encode(public).decode() for kid, public in keys.items()}
    return JSONResponse({"keys": [{**jwk(public), "whpk": texts[kid]} for kid, public in keys.items()]})
