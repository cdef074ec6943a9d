"""Where people decide about messages in doubt, each with a reason.

What a case has recorded as doubtful is decided in that case. What no case could take is given to one, or set aside:
at once and once, together with the message that puts the decision on record, in its case or at the partner's desk.
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
from gateway.api.messages import Key, Prefer, answered, required
from gateway.http.authorization import Action, Caller, may
from gateway.http.dependencies import intake_of
from gateway.http.problems import ProblemError
from gateway.http.request_body import STAFF_BODY, limited
from gateway.intake.service import Intake
from gateway.intake.staff import NUMBER, SubmissionContext, from_staff
from gateway.intake.strict_json import StrictJsonError, parse_object
from gateway.intake.submission import DeclinedError, SubmissionResult
from gateway.intake.validation import FieldError, pointer, sentence
from store.log.mapper import KeyErasedError
from store.log.streams import by_number
from store.messages.inbox import Inbox, IncomingMessage, message_id_for
from store.messages.quarantine import Quarantine, QuarantinedMessage, ResealedMessage, open_desk, readdressed
from store.messages.quarantine import desk_of as stream_of_desk
from store.postgres.notifier import INBOX

router = APIRouter(prefix="/api/v1", tags=["quarantine"])


class QuarantineDecision(BaseModel):
    """What a person decides about one message. ``case_number`` and ``referral_id`` say to whom it is assigned.

    ``outcome_code`` and ``payload`` correct what an amendment says, where the case takes that.
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


@router.get("/quarantine")
async def list_doubts(
    request: Request,
    _: Annotated[Caller, Depends(may(Action.READ_QUARANTINE))],
    partner: Annotated[str | None, Query(max_length=64, pattern="^[a-z0-9-]+$")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> JSONResponse:
    """What waits for a person, longest first, with what may be decided about it."""
    intake = intake_of(request)
    return JSONResponse({"waiting": await waiting(intake.pool, intake.keys, partner, limit)})


@router.get("/quarantine/{message_id}")
async def read_doubt(
    request: Request, message_id: UUID, _: Annotated[Caller, Depends(may(Action.READ_QUARANTINE))]
) -> JSONResponse:
    """One message with what it says, and beside it what it contradicts or was exchanged for."""
    intake = intake_of(request)
    found = await shown(intake.pool, intake.keys, message_id)
    if found is None:
        raise ProblemError("not-found", f"message {message_id} does not wait for a person")
    return JSONResponse(found)


@router.post("/quarantine/{message_id}", status_code=202, openapi_extra=BODY)
async def decide(
    request: Request,
    message_id: UUID,
    caller: Annotated[Caller, Depends(may(Action.RESOLVE_QUARANTINE))],
    key: Key = None,
    prefer: Prefer = None,
) -> JSONResponse:
    """Decide about a message. The decision is a message of its own, and its effect an event."""
    intake, wanted = intake_of(request), required(key)
    answer = await resolve(intake, message_id, _decision(await limited(request, STAFF_BODY)), caller.user, wanted)
    return await answered(intake, answer, prefer)


def _decision(body: bytes) -> QuarantineDecision:
    try:
        return QuarantineDecision.model_validate(parse_object(body))
    except StrictJsonError as why:
        raise ProblemError("bad-json", str(why)) from None
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise _unfit([FieldError(pointer(each["loc"]), each["type"], each["msg"]) for each in found]) from None


def _unfit(flaws: list[FieldError]) -> DeclinedError:
    return DeclinedError("invalid-message", sentence(flaws), rule="MESSAGE.INVALID", flaws=tuple(flaws))


async def resolve(
    intake: Intake, message_id: UUID, decision: QuarantineDecision, user: str, key: str
) -> SubmissionResult:
    """Carry out a person's decision about a message in doubt. Raises ``DeclinedError``."""
    doubt = await Quarantine(intake.pool, intake.keys).doubt(message_id)
    if doubt is None:
        return await _decided_before(intake, message_id, user, key)
    if decision.decision not in possible(doubt):
        said = f"a message in doubt because of {doubt.cause} can be decided by {', '.join(possible(doubt))}"
        raise _unfit([FieldError("/decision", "decision.not_here", said, decision.decision)])
    if doubt.content_unknown:
        return await _for_its_case(intake, doubt, decision, user, key)
    if doubt.doubted_at is not None:
        return await _in_its_case(intake, doubt, decision, user, key)
    return await _at_the_desk(intake, doubt, decision, user, key)


async def _decided_before(intake: Intake, message_id: UUID, user: str, key: str) -> SubmissionResult:
    """The same decision sent again is answered as before; anything else comes too late."""
    before = await intake.wait(message_id_for(user, key), 0)
    if before is not None:
        return before
    if await intake.inbox.result(message_id) is None:
        raise DeclinedError("not-found", f"there is no message {message_id}")
    raise DeclinedError("conflict", f"message {message_id} does not wait for a person, or not any more")


async def _in_its_case(
    intake: Intake, doubt: QuarantinedMessage, decision: QuarantineDecision, user: str, key: str
) -> SubmissionResult:
    fields: dict[str, Any] = {"signal_id": doubt.signal_id, "decision": decision.decision, "reason": decision.reason}
    corrected = {"outcome_code": decision.outcome_code, "payload": decision.payload}
    fields |= {name: part for name, part in corrected.items() if part is not None}
    return await intake.send(str(doubt.number), "ResolveQuarantinedSignal", fields, user=user, key=key)


async def _at_the_desk(
    intake: Intake, doubt: QuarantinedMessage, decision: QuarantineDecision, user: str, key: str
) -> SubmissionResult:
    """What no case can take is on record at the desk of the partner, or at our own."""
    about, ready = await _prepared(intake, doubt, decision)
    fields = {"kept_message": str(doubt.message_id), "cause": doubt.cause, "reason": decision.reason, **about}
    report = from_staff(stream_of_desk(doubt.desk), REPORTS[decision.decision], fields, SubmissionContext(user, key))
    return await _carry_out(intake, doubt, ready, report)


async def _for_its_case(
    intake: Intake, doubt: QuarantinedMessage, decision: QuarantineDecision, user: str, key: str
) -> SubmissionResult:
    """What its case holds against travelling, without knowing what it says: that case has to hear of the decision."""
    _, ready = await _prepared(intake, doubt, decision)
    fields = {"kept_message": str(doubt.message_id), "decision": decision.decision, "reason": decision.reason}
    report = from_staff(doubt.stream_id, "ResolveQuarantinedMessage", fields, SubmissionContext(user, key))
    return await _carry_out(intake, doubt, ready, report)


async def _carry_out(
    intake: Intake, doubt: QuarantinedMessage, ready: ResealedMessage | None, report: IncomingMessage
) -> SubmissionResult:
    """Give the message to a case or set it aside, and hand in what puts that on record: both, or neither."""
    quarantine = Quarantine(intake.pool, intake.keys)
    await intake.keys.keyring(cast("UUID", report.stream_id))  # beforehand: not with a connection in hand
    async with intake.pool.acquire() as connection, connection.transaction():
        if not doubt.content_unknown:
            await open_desk(connection, doubt.desk)
        receipt = await Inbox(cast("asyncpg.Pool[asyncpg.Record]", connection), intake.keys).put(report)
        if receipt.conflicting or receipt.repeated:
            return intake.taken(receipt, None)
        if ready is None:
            done = await quarantine.set_aside(connection, doubt.message_id, receipt.message_id)
        else:
            done = await quarantine.release(ready, connection)
        if not done:
            raise DeclinedError("conflict", f"somebody else has just decided about message {doubt.message_id}")
    if ready is not None:
        intake.notifier.notify(INBOX, ready.stream_id)
    return intake.taken(receipt, None)


async def _prepared(
    intake: Intake, doubt: QuarantinedMessage, decision: QuarantineDecision
) -> tuple[dict[str, str], ResealedMessage | None]:
    """What is put on record beside the message, and the message sealed for its case, if it gets one."""
    if decision.decision == "SET_ASIDE":
        return {}, None
    about, token = await _case_of(intake, doubt, decision)
    stream_id = UUID(about["case_id"])
    try:
        ready = await Quarantine(intake.pool, intake.keys).ready(
            doubt.message_id, stream_id, lambda body: readdressed(body, token) if token else body
        )
    except KeyErasedError:
        raise DeclinedError("erased", "that case was erased: nothing can be added to it any more") from None
    if ready is None:
        raise DeclinedError("erased", "what the message said was erased: it can only be set aside")
    return about, ready


async def _case_of(
    intake: Intake, doubt: QuarantinedMessage, decision: QuarantineDecision
) -> tuple[dict[str, str], str | None]:
    """Whom the message goes to: the case that had it, or that of a referral which was given to this very partner."""
    if decision.decision == "AGAIN":
        return {"case_id": str(doubt.stream_id)}, None
    number = decision.case_number or ""
    head = await by_number(intake.pool, number) if NUMBER.fullmatch(number) else None
    if head is None or head.kind != "case":
        raise _unfit(
            [FieldError("/case_number", "case.unknown", "it must name the case that the message is about", number)]
        )
    token = await intake.pool.fetchval(_TOKEN, head.stream_id, decision.referral_id, doubt.partner_id)
    if token is None:
        said = f"it must be a referral of {number} that was sent to {doubt.partner_id}"
        raise _unfit([FieldError("/referral_id", "referral.not_theirs", said, decision.referral_id)])
    return {"case_id": str(head.stream_id), "referral_id": str(decision.referral_id)}, token


_TOKEN: Final = "SELECT token FROM referral_tokens WHERE stream_id = $1 AND referral_id = $2 AND partner_id = $3"  # noqa: S105
