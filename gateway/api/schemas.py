"""JSON Schemas (2020-12) of the messages of staff and partners, and of signals by kind of referral.

Schemas contain no data of persons or cases. A schema that was published under a version keeps its address.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.vocabulary import ReferralKind, SignalType
from domain.referral.outcomes import OUTCOMES, published_schema
from gateway.http.problems import ProblemError
from gateway.intake.validation import HANDLED

router = APIRouter(tags=["reference"])

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

MEDIA: Final = "application/schema+json"

SENT_BY: Final = ("staff", "partner")


@router.get("/schemas", summary="List schemas")
async def list_schemas() -> JSONResponse:
    """Returns the address of every schema."""
    messages = {name: f"/schemas/{name}.json" for name, model in sorted(HANDLED.items()) if model.FROM in SENT_BY}
    signals = {kind.value: _address(kind, published_schema(kind)["version"]) for kind in OUTCOMES}
    return JSONResponse({"messages": messages, "signals": signals})


@router.get("/schemas/{message}.json", summary="Get the schema of a message")
async def read_schema(message: str) -> JSONResponse:
    """Returns the JSON Schema of a message that staff or partners send."""
    model = HANDLED.get(message)
    if model is None or model.FROM not in SENT_BY:
        raise ProblemError("not-found", f"There is no message {message[:64]!r} of staff or partners.")
    head = {"$schema": DIALECT, "$id": f"/schemas/{message}.json"}
    return JSONResponse({**head, **model.model_json_schema()}, media_type=MEDIA)


@router.get("/schemas/signals/{kind}/v{version}.json", summary="Get the schema of a signal")
async def read_signal_schema(kind: str, version: str) -> JSONResponse:
    """Returns the JSON Schema of the `data` of a signal about one kind of referral."""
    known = ReferralKind.__members__.get(kind)
    if known is None or known not in OUTCOMES or version != str(published_schema(known)["version"]):
        raise ProblemError(
            "not-found", f"There is no schema for the kind of referral {kind[:64]!r} in version {version[:9]!r}."
        )
    return JSONResponse(signal_schema(known), media_type=MEDIA)


def signal_schema(kind: ReferralKind) -> dict[str, Any]:
    """Returns a signal's schema with the payload and the outcomes of its kind of referral."""
    answers, schema = published_schema(kind), ReceivePartnerSignal.model_json_schema()
    payload = dict(answers["payload"])
    defs = {**schema.get("$defs", {}), **payload.pop("$defs", {})}
    head = {"$schema": DIALECT, "$id": _address(kind, answers["version"]), "title": f"An answer to {kind.value}"}
    properties = {**schema["properties"], "payload": payload}
    return {**schema, **head, "$defs": defs, "properties": properties, "allOf": _outcomes(answers["outcomes"])}


def _outcomes(outcomes: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Returns which outcomes each type of signal may have. Others are accepted and reviewed by a person."""
    return [
        {
            "if": {"properties": {"signal_type": {"const": SignalType(signal).value}}},
            "then": {"properties": {"outcome_code": {"examples": codes}}},
        }
        for signal, codes in outcomes.items()
        if codes
    ]


def _address(kind: ReferralKind, version: int) -> str:
    return f"/schemas/signals/{kind.value}/v{version}.json"
