"""What may be sent, described for programs: JSON Schemas (2020-12) of messages, and of signals by kind of referral.

Schemas tell of no person and no case. One that was published under a version keeps its address.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.vocabulary import ReferralKind, SignalType
from domain.referral.outcomes import OUTCOMES, published_schema
from gateway.http.problems import ProblemError
from gateway.intake.validation import TAKEN

router = APIRouter(tags=["reference"])

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

MEDIA: Final = "application/schema+json"

SENT_BY: Final = ("staff", "partner")


@router.get("/schemas")
async def list_schemas() -> JSONResponse:
    """Where each schema is."""
    messages = {name: f"/schemas/{name}.json" for name, model in sorted(TAKEN.items()) if model.FROM in SENT_BY}
    signals = {kind.value: _address(kind, published_schema(kind)["version"]) for kind in OUTCOMES}
    return JSONResponse({"messages": messages, "signals": signals})


@router.get("/schemas/{message}.json")
async def read_schema(message: str) -> JSONResponse:
    """The JSON Schema of a message that staff or partners send."""
    model = TAKEN.get(message)
    if model is None or model.FROM not in SENT_BY:
        raise ProblemError("not-found", f"there is no message {message[:64]!r} that anybody sends")
    head = {"$schema": DIALECT, "$id": f"/schemas/{message}.json"}
    return JSONResponse({**head, **model.model_json_schema()}, media_type=MEDIA)


@router.get("/schemas/signals/{kind}/v{version}.json")
async def read_signal_schema(kind: str, version: str) -> JSONResponse:
    """The JSON Schema of the ``data`` of a signal that answers one kind of referral (rule REFERRAL.OUTCOMES)."""
    known = ReferralKind.__members__.get(kind)
    if known is None or known not in OUTCOMES or version != str(published_schema(known)["version"]):
        raise ProblemError("not-found", f"there is no kind of referral {kind[:64]!r} in version {version[:9]!r}")
    return JSONResponse(signal_schema(known), media_type=MEDIA)


def signal_schema(kind: ReferralKind) -> dict[str, Any]:
    """A signal's schema, with the payload and the outcomes of its kind in their places."""
    answers, schema = published_schema(kind), ReceivePartnerSignal.model_json_schema()
    payload = dict(answers["payload"])
    defs = {**schema.get("$defs", {}), **payload.pop("$defs", {})}
    head = {"$schema": DIALECT, "$id": _address(kind, answers["version"]), "title": f"An answer to {kind.value}"}
    properties = {**schema["properties"], "payload": payload}
    return {**schema, **head, "$defs": defs, "properties": properties, "allOf": _outcomes(answers["outcomes"])}


def _outcomes(outcomes: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Which outcome each type of signal may carry. One that is not listed is kept, and a person looks at it."""
    return [
        {
            "if": {"properties": {"signal_type": {"const": SignalType(said).value}}},
            "then": {"properties": {"outcome_code": {"examples": codes}}},
        }
        for said, codes in outcomes.items()
        if codes
    ]


def _address(kind: ReferralKind, version: int) -> str:
    return f"/schemas/signals/{kind.value}/v{version}.json"
