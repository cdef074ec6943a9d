"""Hooks that give schemathesis what the OpenAPI description does not contain: signatures and the fields of signals.

Loaded by the schemathesis command line (``SCHEMATHESIS_HOOKS``). Every second message to the partner endpoint is
signed, so that the code behind the signature check is reached too.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import schemathesis

from domain.commands.screening import RegisterCase
from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.message import Message
from gateway.intake.partners import CLOUD_EVENT
from store.crypto.webhook_signatures import ID, sign

INBOX = "/api/v1/inbox/{partner_id}"

CASES = "/api/v1/cases"

PARTNER = "clinic-tripoli"

SECRET = os.environ.get("AWDA_FUZZ_SECRET", "")

TOKEN = os.environ.get("AWDA_FUZZ_TOKEN", "")


@dataclass(frozen=True)
class Signed:
    """Signs the exact bytes of a request before it is sent."""

    message_id: str

    def __call__(self, request: Any) -> Any:
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        request.headers.update(sign(SECRET, self.message_id, int(time.time()), body))
        return request


def before_load_schema(_context: Any, described: dict[str, Any]) -> None:
    """Adds the fields of signals and registrations to the description, so that they are generated too.

    The published description of these endpoints refers to the schema of each message and leaves its fields open.
    """
    _body(described, INBOX, CLOUD_EVENT)["data"] = _fields(described, ReceivePartnerSignal)
    _body(described, CASES, "application/json").update(_fields(described, RegisterCase)["properties"])


def _body(described: dict[str, Any], path: str, media: str) -> dict[str, Any]:
    body: dict[str, Any] = described["paths"][path]["post"]["requestBody"]["content"][media]["schema"]["properties"]
    return body


def _fields(described: dict[str, Any], message: type[Message]) -> dict[str, Any]:
    """Returns the schema of a message, and adds the schemas it refers to to the description's components."""
    schema = message.model_json_schema(ref_template="#/components/schemas/{model}")
    described.setdefault("components", {}).setdefault("schemas", {}).update(schema.pop("$defs", {}))
    return schema


def before_call(_context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Signs half of the requests to the partner endpoint as a known partner."""
    if "/inbox/" not in case.operation.path or uuid4().int % 2:
        return
    message_id = str(uuid4())
    case.path_parameters = {**(case.path_parameters or {}), "partner_id": PARTNER}
    case.headers = {**(case.headers or {}), ID: message_id}
    if isinstance(case.body, dict):
        case.body = signal_event(case.body, message_id)
    kwargs["auth"] = Signed(message_id)


def signal_event(generated: dict[str, Any], message_id: str) -> dict[str, Any]:
    """Returns a generated body with a valid envelope, and with its data merged into those of a valid signal."""
    data = generated.get("data")
    signal = {
        "signal_id": message_id,
        "referral_token": TOKEN,
        "signal_type": "COMPLETED",
        "outcome_code": "NO_SIGNIFICANT_CONDITION",
        "occurred_at": "2026-11-23T09:00:00Z",
    }
    envelope = {"specversion": "1.0", "type": "org.iom.vhr.signal.v1", "source": f"awda:partner:{PARTNER}"}
    more = data if isinstance(data, dict) and uuid4().int % 2 else {}
    kept = generated if uuid4().int % 2 else {}
    body: dict[str, Any] = json.loads(json.dumps({**kept, **envelope, "id": message_id}, default=str))
    return {**body, "data": {**signal, **more}}


schemathesis.hook(before_load_schema)

schemathesis.hook(before_call)
