"""Review of quarantined messages: staff decide about each, with a reason.

A message that a case quarantined is decided in that case. A message that no case could accept is assigned to one or
set aside, exactly once, in one transaction with the message that records this: in the case, or at the partner's desk.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, cast
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from audit.quarantine import allowed_decisions as possible
from audit.quarantine import shown, waiting
from gateway.api.messages import Key, Prefer, required_key, respond
from gateway.http.authorization import Action, Caller, may
from gateway.http.dependencies import intake_of
from gateway.http.problems import ProblemError
from gateway.http.request_body import STAFF_BODY, read_body
from gateway.intake.service import Intake
from gateway.intake.staff import NUMBER, SubmissionContext, from_staff
from gateway.intake.strict_json import StrictJsonError, parse_object
from gateway.intake.submission import DeclinedError, SubmissionResult
from gateway.intake.validation import FieldError, field_error, one_of, sentence
from store.log.mapper import KeyErasedError
from store.log.streams import by_number
from store.messages.inbox import Inbox, IncomingMessage, message_id_for
from store.messages.quarantine import Quarantine, QuarantinedMessage, ResealedMessage, open_desk, readdressed
from store.messages.quarantine import desk_of as stream_of_desk
from store.postgres.notifier import INBOX

router = APIRouter(prefix="/api/v1", tags=["quarantine"])


class QuarantineDecision(BaseModel):
    """A decision about one message. ``case_number`` and ``referral_id`` say to which referral it is assigned.

    ``outcome_code`` and ``payload`` correct an amendment, where the case allows that.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    decision: Literal["AMEND", "IGNORE", "ASSIGN", "AGAIN", "SET_ASIDE"]
    reason: Annotated[str, Field(min_length=1, max_length=2000)]
    case_number: Annotated[str, Field(max_length=60)] | None = None
    referral_id: Annotated[str, Field(max_length=36)] | None = None
    outcome_code: Annotated[str, Field(max_length=61)] | None = None
    payload: dict[str, Any] | None = None


REPORTS: Final = {
    "ASSIGN": "RecordSignalAssigned",
    "AGAIN": "RecordSignalTakenUpAgain",
    "SET_ASIDE": "RecordSignalSetAside",
}

BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": QuarantineDecision.model_json_schema()}},
    }
}


@router.get("/quarantine", summary="List messages held for review")
async def list_quarantined(
    request: Request,
    _: Annotated[Caller, Depends(may(Action.READ_QUARANTINE))],
    partner: Annotated[str | None, Query(max_length=64, pattern="^[a-z0-9-]+$")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> JSONResponse:
    """Returns the messages that wait for a decision, longest first, with the decisions that are possible."""
    intake = intake_of(request)
    return JSONResponse({"waiting": await waiting(intake.pool, intake.keys, partner, limit)})


@router.get("/quarantine/{message_id}", summary="Get a message held for review")
async def read_quarantined(
    request: Request, message_id: UUID, _: Annotated[Caller, Depends(may(Action.READ_QUARANTINE))]
) -> JSONResponse:
    """Returns a message with its content, and the message that it contradicts or was confused with, if there is one."""
    intake = intake_of(request)
    found = await shown(intake.pool, intake.keys, message_id)
    if found is None:
        raise ProblemError("not-found", f"Message {message_id} is not held for review.")
    return JSONResponse(found)


@router.post(
    "/quarantine/{message_id}", summary="Decide about a message held for review", status_code=202, openapi_extra=BODY
)
async def decide(
    request: Request,
    message_id: UUID,
    caller: Annotated[Caller, Depends(may(Action.RESOLVE_QUARANTINE))],
    key: Key = None,
    prefer: Prefer = None,
) -> JSONResponse:
    """Records a decision about a message. The decision is a message of its own, and its effect an event."""
    intake, key = intake_of(request), required_key(key)
    answer = await resolve(intake, message_id, _decision(await read_body(request, STAFF_BODY)), caller.user, key)
    return await respond(intake, answer, prefer)


def _decision(body: bytes) -> QuarantineDecision:
    try:
        return QuarantineDecision.model_validate(parse_object(body))
    except StrictJsonError as error:
        raise ProblemError("bad-json", f"{error}.") from None
    except ValidationError as error:
        raise _invalid(*(field_error(each) for each in error.errors(include_url=False))) from None


def _invalid(*errors: FieldError) -> DeclinedError:
    return DeclinedError("invalid-message", sentence(errors, values=True), rule="MESSAGE.INVALID", flaws=errors)


async def resolve(
    intake: Intake, message_id: UUID, decision: QuarantineDecision, user: str, key: str
) -> SubmissionResult:
    """Carries out a decision about a quarantined message. Raises ``DeclinedError``."""
    doubt = await Quarantine(intake.pool, intake.keys).doubt(message_id)
    if doubt is None:
        return await _decided_before(intake, message_id, user, key)
    if decision.decision not in possible(doubt):
        rule = f"Decision must be {one_of(possible(doubt))} for a message held because of {doubt.cause}"
        raise _invalid(FieldError("/decision", "decision.not_here", rule, decision.decision))
    if doubt.content_unknown:
        return await _for_its_case(intake, doubt, decision, user, key)
    if doubt.doubted_at is not None:
        return await _in_its_case(intake, doubt, decision, user, key)
    return await _at_the_desk(intake, doubt, decision, user, key)


async def _decided_before(intake: Intake, message_id: UUID, user: str, key: str) -> SubmissionResult:
    """Returns the result of the same decision sent again. Raises ``DeclinedError`` for any other decision."""
    earlier = await intake.staff.wait(message_id_for(user, key), 0)
    if earlier is not None:
        return earlier
    if await intake.inbox.result(message_id) is None:
        raise DeclinedError("not-found", f"There is no message {message_id}.")
    raise DeclinedError("conflict", f"Message {message_id} is not held for review, or has been decided already.")


async def _in_its_case(
    intake: Intake, doubt: QuarantinedMessage, decision: QuarantineDecision, user: str, key: str
) -> SubmissionResult:
    fields: dict[str, Any] = {"signal_id": doubt.signal_id, "decision": decision.decision, "reason": decision.reason}
    corrected = {"outcome_code": decision.outcome_code, "payload": decision.payload}
    fields |= {name: part for name, part in corrected.items() if part is not None}
    return await intake.staff.send(str(doubt.number), "ResolveQuarantinedSignal", fields, user=user, key=key)


async def _at_the_desk(
    intake: Intake, doubt: QuarantinedMessage, decision: QuarantineDecision, user: str, key: str
) -> SubmissionResult:
    """Records the decision at the partner's desk, or at our own, because no case can accept the message."""
    assignment, ready = await _prepared(intake, doubt, decision)
    fields = {"kept_message": str(doubt.message_id), "cause": doubt.cause, "reason": decision.reason, **assignment}
    report = from_staff(stream_of_desk(doubt.desk), REPORTS[decision.decision], fields, SubmissionContext(user, key))
    return await _carry_out(intake, doubt, ready, report)


async def _for_its_case(
    intake: Intake, doubt: QuarantinedMessage, decision: QuarantineDecision, user: str, key: str
) -> SubmissionResult:
    """Records the decision in the message's case, which counts the unread message as a reason against travel."""
    _, ready = await _prepared(intake, doubt, decision)
    fields = {"kept_message": str(doubt.message_id), "decision": decision.decision, "reason": decision.reason}
    report = from_staff(doubt.stream_id, "ResolveQuarantinedMessage", fields, SubmissionContext(user, key))
    return await _carry_out(intake, doubt, ready, report)


async def _carry_out(
    intake: Intake, doubt: QuarantinedMessage, ready: ResealedMessage | None, report: IncomingMessage
) -> SubmissionResult:
    """Assigns the message to a case or sets it aside, in one transaction with the message that records this."""
    quarantine = Quarantine(intake.pool, intake.keys)
    await intake.keys.keyring(cast("UUID", report.stream_id))  # first, because it needs a connection of its own
    async with intake.pool.acquire() as connection, connection.transaction():
        if not doubt.content_unknown:
            await open_desk(connection, doubt.desk)
        receipt = await Inbox(cast("asyncpg.Pool[asyncpg.Record]", connection), intake.keys).put(report)
        if receipt.conflicting or receipt.repeated:
            return intake.staff.acknowledge(receipt, None)
        if ready is None:
            done = await quarantine.set_aside(connection, doubt.message_id, receipt.message_id)
        else:
            done = await quarantine.release(ready, connection)
        if not done:
            raise DeclinedError("conflict", f"Another user has just decided about message {doubt.message_id}.")
    if ready is not None:
        intake.notifier.notify(INBOX, ready.stream_id)
    return intake.staff.acknowledge(receipt, None)


async def _prepared(
    intake: Intake, doubt: QuarantinedMessage, decision: QuarantineDecision
) -> tuple[dict[str, str], ResealedMessage | None]:
    """Returns what is recorded about the assignment, and the message encrypted for its case, if it gets one."""
    if decision.decision == "SET_ASIDE":
        return {}, None
    assignment, token = await _case_of(intake, doubt, decision)
    stream_id = UUID(assignment["case_id"])
    try:
        ready = await Quarantine(intake.pool, intake.keys).ready(
            doubt.message_id, stream_id, lambda body: readdressed(body, token) if token else body
        )
    except KeyErasedError:
        raise DeclinedError("erased", "The data of that case was erased; nothing can be added to it.") from None
    if ready is None:
        raise DeclinedError("erased", "The content of the message was erased; it can only be set aside.")
    return assignment, ready


async def _case_of(
    intake: Intake, doubt: QuarantinedMessage, decision: QuarantineDecision
) -> tuple[dict[str, str], str | None]:
    """Returns the case and token that get the message: the case that had it, or that of a referral to its partner."""
    if decision.decision == "AGAIN":
        return {"case_id": str(doubt.stream_id)}, None
    number = decision.case_number or ""
    head = await by_number(intake.pool, number) if NUMBER.fullmatch(number) else None
    if head is None or head.kind != "case":
        raise _invalid(
            FieldError(
                "/case_number", "case.unknown", "Case number must name the case that the message is about", number
            )
        )
    token = await intake.pool.fetchval(_TOKEN, head.stream_id, decision.referral_id, doubt.partner_id)
    if token is None:
        rule = f"Referral id must be a referral of {number} that was sent to {doubt.partner_id}"
        raise _invalid(FieldError("/referral_id", "referral.not_theirs", rule, decision.referral_id))
    return {"case_id": str(head.stream_id), "referral_id": str(decision.referral_id)}, token


_TOKEN: Final = "SELECT token FROM referral_tokens WHERE stream_id = $1 AND referral_id = $2 AND partner_id = $3"  # noqa: S105
