"""A test endpoint for partners' programmers: a signal is judged as in its case; nothing is stored."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from gateway.api.partner_inbox import DESCRIBED
from gateway.http.dependencies import intake_of
from gateway.http.request_body import read_body
from gateway.http.signed_request import signed_headers
from gateway.intake.partners import PARTNER_BODY
from store.crypto.webhook_signatures import TIMESTAMP

router = APIRouter(prefix="/api/v1", tags=["partners"])


@router.post("/inbox/{partner_id}/rehearsal", summary="Test a signal without storing it", openapi_extra=DESCRIBED)
async def rehearse(request: Request, partner_id: str) -> JSONResponse:
    """Checks a signal's signature and schema, and states whether it would be applied. Nothing is stored.

    No referral is looked up: the signal is judged for the kind of referral that the event's attribute ``referralkind``
    names, or for every kind that the partner receives. The response names the keys that were recognised, and by how
    many seconds the sender's clock is behind ours.
    """
    headers = signed_headers(request)
    by, judged = await intake_of(request).partners.rehearse(partner_id, headers, await read_body(request, PARTNER_BODY))
    behind = round(time.time() - int(headers[TIMESTAMP]))
    known = {"status": "rehearsed", "keys": [key.key_id for key in by], "clock_behind_s": behind}
    return JSONResponse({**known, **judged.json()})
