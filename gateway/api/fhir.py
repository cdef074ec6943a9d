"""Referrals as FHIR R4 Tasks: read, searched and updated by the partner they were sent to.

An optional component. Its library (``requirements-fhir.lock``) is imported only in ``library``; without it every route
here answers 501. Partners authenticate with the same signatures as at the inbox; of a GET, ``GET <path and query>`` is
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
from gateway.http.request_body import read_body
from gateway.http.signed_request import request_line, signed_headers
from gateway.intake.partners import PARTNER_BODY
from gateway.intake.service import Intake
from gateway.intake.strict_json import StrictJsonError, parse_object
from gateway.intake.submission import DeclinedError
from gateway.intake.validation import FieldError, one_of, pointer, schema_errors, sentence
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

MEDIA_TYPES: Final = frozenset({FHIR_JSON, "application/json"})

PAGE: Final = 50

SIGNED: Final[dict[str, Any]] = {"parameters": [{"name": name, **HEADER} for name in HEADERS]}

BODY: Final[dict[str, Any]] = {
    **SIGNED,
    "requestBody": {
        "required": True,
        "content": {FHIR_JSON: {"schema": {"type": "object", "description": "A FHIR R4 Task"}}},
    },
}

WRITTEN: Final = "2026-11-24"
"""Date of the capability statement: when the capabilities last changed."""

WHEN: Final = TypeAdapter(AwareDatetime)

PREFIXES: Final = ("ge", "gt", "le", "lt")


@dataclass(frozen=True, slots=True)
class TaskSearch:
    """The parameters of a search."""

    status: Annotated[str | None, Query(description="FHIR statuses, separated by commas")] = None
    updated: Annotated[
        list[str] | None, Query(alias="_lastUpdated", description="ge, gt, le or lt, followed by a time")
    ] = None
    count: Annotated[int, Query(alias="_count", ge=1, le=PAGE)] = PAGE
    after: Annotated[str, Query(alias="_after", max_length=64, description="Where the page before ended")] = ""


@dataclass(frozen=True, slots=True)
class FhirModels:
    """The FHIR models against which resources are validated."""

    task: Any
    bundle: Any
    outcome: Any
    capabilities: Any


@cache
def library() -> FhirModels:
    """Returns the FHIR R4 models. Raises ``ProblemError`` if they are not installed."""
    try:
        from fhir.resources.R4B.bundle import Bundle  # noqa: PLC0415 (an extra)
        from fhir.resources.R4B.capabilitystatement import CapabilityStatement  # noqa: PLC0415
        from fhir.resources.R4B.operationoutcome import OperationOutcome  # noqa: PLC0415
        from fhir.resources.R4B.task import Task  # noqa: PLC0415
    except ImportError:
        raise ProblemError(
            "extra-missing", "FHIR needs an optional component. Install it with: pip install -r requirements-fhir.lock"
        ) from None
    return FhirModels(Task, Bundle, OperationOutcome, CapabilityStatement)


@router.get(
    "/metadata",
    summary="Get the capability statement",
    response_class=Response,
    responses={200: {"content": {FHIR_JSON: {}}}},
)
async def read_capabilities(request: Request, partner_id: str) -> JSONResponse:
    """Returns the FHIR capability statement. It is the same for every partner and contains no data."""
    return _response(library().capabilities, capabilities(request.app.version, WRITTEN))


@router.get("/Task/{task_id}", summary="Read a task", openapi_extra=SIGNED)
async def read_task(request: Request, partner_id: str, task_id: str) -> JSONResponse:
    """Returns one referral with the data that the partner has been sent."""
    fhir = library()
    keys = await _reader(request, partner_id)
    found = (
        await view_referral(intake_of(request), partner_id, token_of(task_id), keys)
        if FHIR_ID.fullmatch(task_id)
        else None
    )
    if found is None:
        raise ProblemError("not-found", "There is no task with this id that was sent to you.")
    return _response(fhir.task, task_of(found))


@router.get("/Task", summary="Search tasks", openapi_extra=SIGNED)
async def search_tasks(request: Request, partner_id: str, search: Annotated[TaskSearch, Depends()]) -> JSONResponse:
    """Returns a partner's referrals, a page at a time.

    Poll with a `_lastUpdated` that overlaps the previous search: the same task may be returned twice.
    """
    fhir, statuses, count = library(), _statuses(search.status), search.count
    keys, bounds = await _reader(request, partner_id), [_bound(each) for each in search.updated or ()]
    _reject_unknown_parameters(request)
    since = max((at for word, at in bounds if word in ("ge", "gt")), default=None)

    def fits(each: PartnerReferral) -> bool:
        return STATUS_OF[each.status] in statuses and _within(each, bounds)

    after = token_of(search.after)
    shown, following = await view_referrals(
        intake_of(request), partner_id, keys, fits, after=after, since=since, limit=count
    )
    return _response(fhir.bundle, bundle_of(shown, str(request.url), following))


@router.put("/Task/{task_id}", summary="Update a task", status_code=202, openapi_extra=BODY)
async def update_task(request: Request, partner_id: str, task_id: str) -> JSONResponse:
    """Accepts a partner's answer as a Task with its new status. The response is the same whatever the task is about."""
    fhir, intake = library(), intake_of(request)
    if request.headers.get("content-type", "").split(";")[0].strip().lower() not in MEDIA_TYPES:
        raise ProblemError("media-type", f"Send the task with the content type {FHIR_JSON}.")
    headers, body = signed_headers(request), await read_body(request, PARTNER_BODY)
    keys = await intake.partners.authenticate(partner_id, headers, body)
    task = _task(fhir, body, task_id)
    fields = signal_of(partner_id, headers[ID], task)
    if goes_on(task):
        fields["signal_type"] = await _going_on(intake, partner_id, headers[ID], fields, keys)
    if errors := schema_errors(ReceivePartnerSignal, fields):
        raise DeclinedError("shape", sentence(errors), flaws=tuple(errors))
    answer = await intake.partners.accept(partner_id, headers[ID], keys, fields)
    return _response(fhir.outcome, outcome_of(answer.receipt), 202)


async def _reader(request: Request, partner_id: str) -> tuple[PartnerKey, ...]:
    return await intake_of(request).partners.authenticate(partner_id, signed_headers(request), request_line(request))


async def _going_on(intake: Intake, partner_id: str, key: str, fields: Json, keys: tuple[PartnerKey, ...]) -> str:
    """Returns the signal for ``in-progress``: started, resumed or progress, by the status before.

    A repeated message keeps the signal of the first time.
    """
    known = await view_referral(intake, partner_id, fields["referral_token"], keys)
    signal = GOING_ON.get(known.status) if known else None
    return await interpreted(intake.pool, message_id_for(f"partner:{partner_id}", key), signal or fields["signal_type"])


def _task(fhir: FhirModels, body: bytes, task_id: str) -> Json:
    """Returns the Task in a body. Raises ``DeclinedError`` if it is not a Task, or not one that a partner may send."""
    try:
        task: Json = _validated(fhir.task, parse_object(body))
    except StrictJsonError as error:
        raise DeclinedError("shape", f"{error}.", flaws=(FieldError("", "json", str(error)),)) from None
    except ValidationError as error:
        errors = tuple(_errors(error))
        raise DeclinedError("shape", sentence(errors), flaws=errors) from None
    if errors := tuple(flaws_in(task, task_id)):
        raise DeclinedError("shape", sentence(errors), flaws=errors)
    return task


def _errors(error: ValidationError) -> Iterator[FieldError]:
    for found in error.errors(include_url=False, include_input=False, include_context=False):
        yield FieldError(
            pointer(found["loc"]),
            "fhir",
            f"{'.'.join(map(str, found['loc']))[:60] or 'The task'} is not valid in FHIR R4",
        )


def _statuses(given: str | None) -> frozenset[str]:
    known = frozenset(STATUS_OF.values())
    statuses = frozenset(given.split(",")) if given else known
    if unknown := statuses - known:
        raise ProblemError(
            "invalid-query", f"Status must be {one_of(sorted(known))} (you entered {min(unknown)[:40]!r})."
        )
    return statuses


def _bound(given: str) -> tuple[str, datetime]:
    word, text = given[:2], given[2:]
    try:
        at = WHEN.validate_python(text)
    except ValidationError:
        at = None
    if at is None or word not in PREFIXES:
        raise ProblemError(
            "invalid-query",
            f"_lastUpdated must be {one_of(PREFIXES)}, followed by a date and time with a time zone, for example"
            " ge2026-11-23T08:00:00Z.",
        )
    return word, at


def _within(each: PartnerReferral, bounds: list[tuple[str, datetime]]) -> bool:
    holds = {"ge": each.updated_at.__ge__, "gt": each.updated_at.__gt__, "le": each.updated_at.__le__}
    return all(holds.get(word, each.updated_at.__lt__)(at) for word, at in bounds)


def _reject_unknown_parameters(request: Request) -> None:
    """Rejects unknown search parameters, which would otherwise look as if they had been applied."""
    if unknown := set(request.query_params) - {"status", "_lastUpdated", "_count", "_after", "_format"}:
        raise ProblemError("invalid-query", f"{min(unknown)[:40]!r} is not a search parameter of this server.")


def _response(model: Any, resource: Json, status: int = 200) -> JSONResponse:
    """Returns a response with a resource that has been validated."""
    return JSONResponse(_validated(model, resource), status, media_type=FHIR_JSON)


def _validated(model: Any, resource: Json) -> Any:
    """Returns a resource as its model writes it. Raises ``ValidationError``."""
    return json.loads(model.model_validate(resource).model_dump_json())
