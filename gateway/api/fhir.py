"""Referrals over FHIR R4: read and searched by the partner that was asked, and updated by what it answers.

An extra. Its library (``requirements-fhir.lock``) is asked for in ``library`` and nowhere else; without it every route
here answers 501. Who asks is settled by the same signatures as at the inbox; of a GET, ``GET <path and query>`` is
signed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from domain.commands.signal import ReceivePartnerSignal
from gateway.api.partner_inbox import HEADER
from gateway.http.dependencies import intake_of
from gateway.http.problems import ProblemError
from gateway.http.request_body import limited
from gateway.http.signed_request import request_line, signed_headers
from gateway.intake.partners import PARTNER_BODY
from gateway.intake.service import Intake
from gateway.intake.strict_json import StrictJsonError, parse_object
from gateway.intake.submission import DeclinedError
from gateway.intake.validation import FieldError, pointer, sentence, unfit
from gateway.partner_access.fhir_mapping import (
    FHIR_ID,
    GOING_ON,
    STATUS_OF,
    Json,
    bundle_of,
    capabilities,
    flaws_in,
    goes_on,
    outcome_of,
    signal_of,
    task_of,
    token_of,
)
from gateway.partner_access.referral_view import PartnerReferral, view_referral, view_referrals
from store.crypto.webhook_signatures import HEADERS, ID
from store.messages.inbox import message_id_for
from store.messages.referral_tokens import interpreted
from store.partners.keys import PartnerKey

router = APIRouter(prefix="/api/v1/partners/{partner_id}/fhir", tags=["fhir"])

FHIR_JSON: Final = "application/fhir+json"

TAKEN: Final = frozenset({FHIR_JSON, "application/json"})

PAGE: Final = 50

SIGNED: Final[dict[str, Any]] = {"parameters": [{"name": name, **HEADER} for name in HEADERS]}

BODY: Final[dict[str, Any]] = {
    **SIGNED,
    "requestBody": {"required": True, "content": {FHIR_JSON: {"schema": {"type": "object", "description": "a Task"}}}},
}

WRITTEN: Final = "2026-11-24"
"""When what can be done here last changed."""

WHEN: Final = TypeAdapter(AwareDatetime)

BEFORE: Final = ("ge", "gt", "le", "lt")


@dataclass(frozen=True, slots=True)
class TaskSearch:
    """What is searched for."""

    status: Annotated[str | None, Query(description="FHIR statuses, with commas between them")] = None
    updated: Annotated[list[str] | None, Query(alias="_lastUpdated", description="ge, gt, le or lt, and a time")] = None
    count: Annotated[int, Query(alias="_count", ge=1, le=PAGE)] = PAGE
    after: Annotated[str, Query(alias="_after", max_length=64, description="where the page before ended")] = ""


@dataclass(frozen=True, slots=True)
class FhirModels:
    """The models that a Task must fit."""

    task: Any
    bundle: Any
    outcome: Any
    capabilities: Any


@cache
def library() -> FhirModels:
    """The models of FHIR R4. Raises ``ProblemError`` where they are not installed."""
    try:
        from fhir.resources.R4B.bundle import Bundle  # noqa: PLC0415 (an extra)
        from fhir.resources.R4B.capabilitystatement import CapabilityStatement  # noqa: PLC0415
        from fhir.resources.R4B.operationoutcome import OperationOutcome  # noqa: PLC0415
        from fhir.resources.R4B.task import Task  # noqa: PLC0415
    except ImportError:
        raise ProblemError("extra-missing", "FHIR needs an extra: pip install -r requirements-fhir.lock") from None
    return FhirModels(Task, Bundle, OperationOutcome, CapabilityStatement)


@router.get("/metadata", response_class=Response, responses={200: {"content": {FHIR_JSON: {}}}})
async def read_capabilities(request: Request, partner_id: str) -> JSONResponse:
    """What can be done here over FHIR; the same for everybody, and nothing about anybody."""
    return _answer(library().capabilities, capabilities(request.app.version, WRITTEN))


@router.get("/Task/{task_id}", openapi_extra=SIGNED)
async def read_task(request: Request, partner_id: str, task_id: str) -> JSONResponse:
    """One referral as its partner knows it."""
    fhir = library()
    by = await _reader(request, partner_id)
    found = (
        await view_referral(intake_of(request), partner_id, token_of(task_id), by)
        if FHIR_ID.fullmatch(task_id)
        else None
    )
    if found is None:
        raise ProblemError("not-found", "there is no such task of yours")
    return _answer(fhir.task, task_of(found))


@router.get("/Task", openapi_extra=SIGNED)
async def search_tasks(request: Request, partner_id: str, asked: Annotated[TaskSearch, Depends()]) -> JSONResponse:
    """A partner's referrals, page by page. Ask again a little further back than you did last: a page may come twice."""
    fhir, wanted, count = library(), _statuses(asked.status), asked.count
    by, bounds = await _reader(request, partner_id), [_bound(each) for each in asked.updated or ()]
    _insist_on_known(request)
    since = max((at for word, at in bounds if word in ("ge", "gt")), default=None)

    def fits(each: PartnerReferral) -> bool:
        return STATUS_OF[each.status] in wanted and _within(each, bounds)

    after = token_of(asked.after)
    shown, following = await view_referrals(
        intake_of(request), partner_id, by, fits, after=after, since=since, limit=count
    )
    return _answer(fhir.bundle, bundle_of(shown, str(request.url), following))


@router.put("/Task/{task_id}", status_code=202, openapi_extra=BODY)
async def update_task(request: Request, partner_id: str, task_id: str) -> JSONResponse:
    """What a partner answers, as a Task with its new status. The answer is the same whatever the task is about."""
    fhir, intake = library(), intake_of(request)
    if request.headers.get("content-type", "").split(";")[0].strip().lower() not in TAKEN:
        raise ProblemError("media-type", f"send the task as {FHIR_JSON}")
    headers, body = signed_headers(request), await limited(request, PARTNER_BODY)
    by = await intake.authenticate(partner_id, headers, body)
    task = _task(fhir, body, task_id)
    fields = signal_of(partner_id, headers[ID], task)
    if goes_on(task):
        fields["signal_type"] = await _going_on(intake, partner_id, headers[ID], fields, by)
    if flaws := unfit(ReceivePartnerSignal, fields):
        raise DeclinedError("shape", sentence(flaws), flaws=tuple(flaws))
    answer = await intake.take(partner_id, headers[ID], by, fields)
    return _answer(fhir.outcome, outcome_of(answer.receipt), 202)


async def _reader(request: Request, partner_id: str) -> tuple[PartnerKey, ...]:
    return await intake_of(request).authenticate(partner_id, signed_headers(request), request_line(request))


async def _going_on(intake: Intake, partner_id: str, key: str, fields: Json, by: tuple[PartnerKey, ...]) -> str:
    """Begun, taken up again, or simply going on: by what was before, and for ever what it was the first time."""
    known = await view_referral(intake, partner_id, fields["referral_token"], by)
    said = GOING_ON.get(known.status) if known else None
    return await interpreted(intake.pool, message_id_for(f"partner:{partner_id}", key), said or fields["signal_type"])


def _task(fhir: FhirModels, body: bytes, task_id: str) -> Json:
    """The Task in a body. Raises ``DeclinedError`` for what is none, or none that a partner may send."""
    try:
        task: Json = _fitting(fhir.task, parse_object(body))
    except StrictJsonError as why:
        raise DeclinedError("shape", str(why), flaws=(FieldError("", "json", str(why)),)) from None
    except ValidationError as error:
        flaws = tuple(_flaws(error))
        raise DeclinedError("shape", sentence(flaws), flaws=flaws) from None
    if flaws := tuple(flaws_in(task, task_id)):
        raise DeclinedError("shape", sentence(flaws), flaws=flaws)
    return task


def _flaws(error: ValidationError) -> Iterator[FieldError]:
    for found in error.errors(include_url=False, include_input=False, include_context=False):
        yield FieldError(pointer(found["loc"]), "fhir", "it does not fit FHIR R4")


def _statuses(given: str | None) -> frozenset[str]:
    known = frozenset(STATUS_OF.values())
    wanted = frozenset(given.split(",")) if given else known
    if unknown := wanted - known:
        raise ProblemError(
            "invalid-query", f"{min(unknown)[:40]!r} is no status of a task; there are {', '.join(sorted(known))}"
        )
    return wanted


def _bound(given: str) -> tuple[str, datetime]:
    word, text = given[:2], given[2:]
    try:
        at = WHEN.validate_python(text)
    except ValidationError:
        at = None
    if at is None or word not in BEFORE:
        raise ProblemError(
            "invalid-query", f"_lastUpdated is {', '.join(BEFORE)} and a full time: ge2026-11-23T08:00:00Z"
        )
    return word, at


def _within(each: PartnerReferral, bounds: list[tuple[str, datetime]]) -> bool:
    holds = {"ge": each.updated_at.__ge__, "gt": each.updated_at.__gt__, "le": each.updated_at.__le__}
    return all(holds.get(word, each.updated_at.__lt__)(at) for word, at in bounds)


def _insist_on_known(request: Request) -> None:
    """What is asked for and not understood must not look as if it had been."""
    if unknown := set(request.query_params) - {"status", "_lastUpdated", "_count", "_after", "_format"}:
        raise ProblemError("invalid-query", f"{min(unknown)[:40]!r} cannot be asked for here")


def _answer(model: Any, resource: Json, status: int = 200) -> JSONResponse:
    """A resource, once it fits its own definition."""
    return JSONResponse(_fitting(model, resource), status, media_type=FHIR_JSON)


def _fitting(model: Any, resource: Json) -> Any:
    """A resource with everything in its place. Raises ``ValidationError``."""
    return json.loads(model.model_validate(resource).model_dump_json())
