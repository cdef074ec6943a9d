"""Where partners send their completion signals: one signed CloudEvent at a time, answered after the commit."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from gateway.bodies import limited
from gateway.commands import desk_of
from gateway.intake import CLOUD_EVENT, PARTNER_BODY, RECEIVED
from store.signing import HEADERS

router = APIRouter(prefix="/api/v1", tags=["partners"])

HEADER: Final[dict[str, Any]] = {"in": "header", "required": True, "schema": {"type": "string"}}
EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "description": "the same as the header webhook-id"},
        "source": {"type": "string", "description": "awda:partner:{partner_id}"},
        "type": {"const": "org.iom.vhr.signal.v1"},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "data": {"type": "object", "description": "the fields at /schemas/ReceivePartnerSignal.json"},
    },
}
DESCRIBED: Final[dict[str, Any]] = {
    "parameters": [{"name": name, **HEADER} for name in HEADERS],
    "requestBody": {"required": True, "content": {CLOUD_EVENT: {"schema": EVENT}}},
}


@router.post("/inbox/{partner_id}", status_code=202, openapi_extra=DESCRIBED)
async def receive(request: Request, partner_id: str) -> JSONResponse:
    """Take in a signal. The answer is the same whatever the signal is about."""
    body = await limited(request, PARTNER_BODY)
    answer = await desk_of(request).receive(partner_id, signed_headers(request), body)
    return JSONResponse({"receipt": answer.receipt, "status": RECEIVED}, 202)


def signed_headers(request: Request) -> dict[str, str]:
    """The headers that count; one that was sent twice becomes one that fits nothing."""
    names = (*HEADERS, "content-type")
    return {name: ", ".join(request.headers.getlist(name)) for name in names}
