"""What staff send. The name of a message is never in the URL: access logs must not tell what a case is about."""

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

Key = Annotated[str | None, Header(alias="Idempotency-Key", description="Required: the same key is taken once")]

Prefer = Annotated[str | None, Header(description="wait=N: answer with the final result, if it is there in N seconds")]


def message_body(to: str) -> dict[str, Any]:
    """How the body is described: its fields are those of the message's own schema."""
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
        "description": "The message's fields stand beside its name; their schema is at /schemas/{message}.json.",
    }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.post("/cases", status_code=202, openapi_extra=message_body("case"))
async def start_case(
    request: Request,
    caller: Annotated[Caller, Depends(may(Action.START_CASE))],
    key: Key = None,
    prefer: Prefer = None,
) -> JSONResponse:
    """Start a case with its registration."""
    intake, wanted, said = intake_of(request), required(key), await submitted_message(request)
    answer = await intake.staff.start_case(
        said.fields,
        user=caller.user,
        key=wanted,
        happened_at=said.happened_at,
        reason=said.reason,
        name=said.name,
    )
    return await answered(intake, answer, prefer)


@router.post("/cases/{number}/messages", status_code=202, openapi_extra=message_body("case"))
async def send_to_case(
    request: Request,
    number: str,
    caller: Annotated[Caller, Depends(may(Action.SEND_TO_CASE))],
    key: Key = None,
    prefer: Prefer = None,
) -> JSONResponse:
    """Hand a message to a case."""
    return await _sent(request, number, caller, key, prefer, to_movement=False)


@router.post("/movements", status_code=202, openapi_extra=message_body("movement"))
async def plan_movement(
    request: Request,
    caller: Annotated[Caller, Depends(may(Action.PLAN_MOVEMENT))],
    key: Key = None,
    prefer: Prefer = None,
) -> JSONResponse:
    """Plan a movement: ``PlanMovement``, with its number among the fields."""
    intake, wanted, said = intake_of(request), required(key), await submitted_message(request)
    answer = await intake.staff.plan(
        said.fields,
        user=caller.user,
        key=wanted,
        happened_at=said.happened_at,
        reason=said.reason,
        name=said.name,
    )
    return await answered(intake, answer, prefer)


@router.post("/movements/{number}/messages", status_code=202, openapi_extra=message_body("movement"))
async def send_to_movement(
    request: Request,
    number: str,
    caller: Annotated[Caller, Depends(may(Action.SEND_TO_MOVEMENT))],
    key: Key = None,
    prefer: Prefer = None,
) -> JSONResponse:
    """Hand a message to a movement."""
    return await _sent(request, number, caller, key, prefer, to_movement=True)


async def _sent(
    request: Request, number: str, caller: Caller, key: str | None, prefer: str | None, *, to_movement: bool
) -> JSONResponse:
    wanted, said, intake = required(key), await submitted_message(request), intake_of(request)
    if number.startswith("MOV-") is not to_movement:
        raise ProblemError("not-found", f"there is no {'movement' if to_movement else 'case'} {number[:64]!r}")
    answer = await intake.staff.send(
        number,
        said.name,
        said.fields,
        user=caller.user,
        key=wanted,
        happened_at=said.happened_at,
        reason=said.reason,
    )
    return await answered(intake, answer, prefer)


def required(key: str | None) -> str:
    if key is None:
        raise ProblemError(
            "bad-key", "send an Idempotency-Key header, such as a fresh UUID; a repetition keeps its key"
        )
    return key


async def answered(intake: Intake, answer: SubmissionResult, prefer: str | None) -> JSONResponse:
    """202 with where to look; or, if the sender would rather wait, what has become of it."""
    wanted = seconds_of(prefer)
    headers = {"Location": f"/api/v1/messages/{answer.message_id}"}
    if answer.repeated:
        headers["Idempotent-Replayed"] = "true"
    if not wanted:
        return JSONResponse(told_of(answer), 202, headers)
    final = await intake.staff.wait(answer.message_id, wanted) or answer
    headers["Preference-Applied"] = f"wait={wanted}"
    if final.status == "refused":
        return refused(final, headers)
    if final.status == "quarantined":
        return quarantined(final, headers)
    return JSONResponse(told_of(final), 200 if final.settled else 202, headers)


def told_of(answer: SubmissionResult) -> dict[str, Any]:
    """A message's standing as JSON: neutral words only."""
    number = answer.number or ""
    named = {NUMBERED.get(number[:4], "number"): answer.number}
    return {
        "message_id": str(answer.message_id),
        **(named if number else {}),
        "received_at": iso_utc(answer.received_at),
        **answer.result,
        "status": answer.status,
        **({"version": answer.version} if answer.version is not None else {}),
    }


def seconds_of(prefer: str | None) -> int:
    found = WAIT.search(prefer or "")
    return min(int(found[1]), LONGEST_WAIT_S) if found else 0
