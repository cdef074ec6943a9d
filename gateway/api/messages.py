"""Staff messages. The name of a message is never in the URL: access logs must not disclose what a case is about."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import JSONResponse

from audit.replay import iso_utc
from gateway.http.authorization import Action, Caller, may
from gateway.http.dependencies import intake_of
from gateway.http.problems import ProblemError, quarantined, refused
from gateway.http.request_body import submitted_message
from gateway.intake.service import Intake
from gateway.intake.submission import SubmissionResult
from gateway.intake.validation import names_for

LONGEST_WAIT_S: Final = 30

NUMBERED: Final = {"LBY-": "case_number", "MOV-": "movement_number"}

WAIT: Final = re.compile(r"(?:^|[\s,;])wait\s*=\s*\"?([0-9]{1,6})")

router = APIRouter(prefix="/api/v1", tags=["messages"])

Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="Required, for example a new UUID. A message is recorded once per key"),
]

Prefer = Annotated[
    str | None, Header(description="wait=N: answer with the final result if it is known within N seconds (at most 30)")
]


def message_body(to: str) -> dict[str, Any]:
    """Returns the OpenAPI description of a message's body. Its fields are in the schema of the message itself."""
    schema = {
        "type": "object",
        "required": ["message"],
        "properties": {
            "message": {"type": "string", "enum": names_for("staff", to)},
            "about": {
                "type": "object",
                "properties": {
                    "happened_at": {"type": "string", "format": "date-time"},
                    "reason": {"type": "string", "maxLength": 2000},
                },
            },
        },
        "additionalProperties": True,
        "description": "The name of the message, and its fields beside it; their schema is at /schemas/{message}.json.",
    }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.post("/cases", summary="Register a case", status_code=202, openapi_extra=message_body("case"))
async def start_case(
    request: Request,
    caller: Annotated[Caller, Depends(may(Action.START_CASE))],
    key: Key = None,
    prefer: Prefer = None,
) -> JSONResponse:
    """Opens a case with its registration (`RegisterCase`) and returns its case number."""
    intake, key, message = intake_of(request), required_key(key), await submitted_message(request)
    answer = await intake.staff.start_case(
        message.fields,
        user=caller.user,
        key=key,
        happened_at=message.happened_at,
        reason=message.reason,
        name=message.name,
    )
    return await respond(intake, answer, prefer)


@router.post(
    "/cases/{number}/messages",
    summary="Record an action on a case",
    status_code=202,
    openapi_extra=message_body("case"),
)
async def send_to_case(
    request: Request,
    number: str,
    caller: Annotated[Caller, Depends(may(Action.SEND_TO_CASE))],
    key: Key = None,
    prefer: Prefer = None,
) -> JSONResponse:
    """Submits a message to a case. A rule may refuse it; the result is at the address in `Location`."""
    return await _submit(request, number, caller, key, prefer, to_movement=False)


@router.post("/movements", summary="Plan a movement", status_code=202, openapi_extra=message_body("movement"))
async def plan_movement(
    request: Request,
    caller: Annotated[Caller, Depends(may(Action.PLAN_MOVEMENT))],
    key: Key = None,
    prefer: Prefer = None,
) -> JSONResponse:
    """Opens a movement (`PlanMovement`) under the number in its fields."""
    intake, key, message = intake_of(request), required_key(key), await submitted_message(request)
    answer = await intake.staff.plan(
        message.fields,
        user=caller.user,
        key=key,
        happened_at=message.happened_at,
        reason=message.reason,
        name=message.name,
    )
    return await respond(intake, answer, prefer)


@router.post(
    "/movements/{number}/messages",
    summary="Record an action on a movement",
    status_code=202,
    openapi_extra=message_body("movement"),
)
async def send_to_movement(
    request: Request,
    number: str,
    caller: Annotated[Caller, Depends(may(Action.SEND_TO_MOVEMENT))],
    key: Key = None,
    prefer: Prefer = None,
) -> JSONResponse:
    """Submits a message to a movement. A rule may refuse it; the result is at the address in `Location`."""
    return await _submit(request, number, caller, key, prefer, to_movement=True)


async def _submit(
    request: Request, number: str, caller: Caller, key: str | None, prefer: str | None, *, to_movement: bool
) -> JSONResponse:
    key, message, intake = required_key(key), await submitted_message(request), intake_of(request)
    if number.startswith("MOV-") is not to_movement:
        raise ProblemError("not-found", f"There is no {'movement' if to_movement else 'case'} {number[:64]!r}.")
    answer = await intake.staff.send(
        number,
        message.name,
        message.fields,
        user=caller.user,
        key=key,
        happened_at=message.happened_at,
        reason=message.reason,
    )
    return await respond(intake, answer, prefer)


def required_key(key: str | None) -> str:
    """Returns the idempotency key. Raises ``ProblemError`` if it is missing."""
    if key is None:
        raise ProblemError(
            "bad-key", "Send the header Idempotency-Key, for example a new UUID. A repeated request keeps its key."
        )
    return key


async def respond(intake: Intake, answer: SubmissionResult, prefer: str | None) -> JSONResponse:
    """Returns 202 with the address of the result; or the result itself, if the sender prefers to wait for it."""
    wait_s = seconds_of(prefer)
    headers = {"Location": f"/api/v1/messages/{answer.message_id}"}
    if answer.repeated:
        headers["Idempotent-Replayed"] = "true"
    if not wait_s:
        return JSONResponse(status_json(answer), 202, headers)
    final = await intake.staff.wait(answer.message_id, wait_s) or answer
    headers["Preference-Applied"] = f"wait={wait_s}"
    if final.status == "refused":
        return refused(final, headers)
    if final.status == "quarantined":
        return quarantined(final, headers)
    return JSONResponse(status_json(final), 200 if final.settled else 202, headers)


def status_json(answer: SubmissionResult) -> dict[str, Any]:
    """Returns the status of a message as JSON, without anything about the case itself."""
    number = answer.number or ""
    numbered = {NUMBERED.get(number[:4], "number"): answer.number}
    return {
        "message_id": str(answer.message_id),
        **(numbered if number else {}),
        "received_at": iso_utc(answer.received_at),
        **answer.result,
        "status": answer.status,
        **({"version": answer.version} if answer.version is not None else {}),
    }


def seconds_of(prefer: str | None) -> int:
    """Returns the seconds in a Prefer header, at most ``LONGEST_WAIT_S``; 0 if there is none."""
    found = WAIT.search(prefer or "")
    return min(int(found[1]), LONGEST_WAIT_S) if found else 0
