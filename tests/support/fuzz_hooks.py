"""What schemathesis is told of our API beyond its description: how a partner signs, and what a signal looks like.

Loaded by its command line, in a process of its own (``SCHEMATHESIS_HOOKS``). Every other message to the partner
endpoint is signed, so that what is behind the signature is reached too.
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
    """Signs a request that is about to be sent, to the byte."""

    message_id: str

    def __call__(self, request: Any) -> Any:
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        request.headers.update(sign(SECRET, self.message_id, int(time.time()), body))
        return request


def before_load_schema(_context: Any, described: dict[str, Any]) -> None:
    """Let what is made up for a signal and a registration be made of their own fields, right ones and wrong ones.

    The description of these endpoints says where the schema of a message is, and leaves its fields open.
    """
    _body(described, INBOX, CLOUD_EVENT)["data"] = _fields(described, ReceivePartnerSignal)
    _body(described, CASES, "application/json").update(_fields(described, RegisterCase)["properties"])


def _body(described: dict[str, Any], path: str, media: str) -> dict[str, Any]:
    body: dict[str, Any] = described["paths"][path]["post"]["requestBody"]["content"][media]["schema"]["properties"]
    return body


def _fields(described: dict[str, Any], message: type[Message]) -> dict[str, Any]:
    """The schema of a message, with what it refers to put where the description keeps such things."""
    schema = message.model_json_schema(ref_template="#/components/schemas/{model}")
    described.setdefault("components", {}).setdefault("schemas", {}).update(schema.pop("$defs", {}))
    return schema


def before_call(_context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Let half of what goes to the partner endpoint come from a partner we know."""
    if "/inbox/" not in case.operation.path or uuid4().int % 2:
        return
    message_id = str(uuid4())
    case.path_parameters = {**(case.path_parameters or {}), "partner_id": PARTNER}
    case.headers = {**(case.headers or {}), ID: message_id}
    if isinstance(case.body, dict):
        case.body = told(case.body, message_id)
    kwargs["auth"] = Signed(message_id)


def told(made_up: dict[str, Any], message_id: str) -> dict[str, Any]:
    """What was made up, as far as the envelope lets it through; its data over those of a real signal."""
    data = made_up.get("data")
    signal = {
        "signal_id": message_id,
        "referral_token": TOKEN,
        "signal_type": "COMPLETED",
        "outcome_code": "NO_SIGNIFICANT_CONDITION",
        "occurred_at": "2026-11-23T09:00:00Z",
    }
    envelope = {"specversion": "1.0", "type": "org.iom.vhr.signal.v1", "source": f"awda:partner:{PARTNER}"}
    more = data if isinstance(data, dict) and uuid4().int % 2 else {}
    kept = made_up if uuid4().int % 2 else {}
    body: dict[str, Any] = json.loads(json.dumps({**kept, **envelope, "id": message_id}, default=str))
    return {**body, "data": {**signal, **more}}


schemathesis.hook(before_load_schema)

schemathesis.hook(before_call)
