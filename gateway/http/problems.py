"""Errors as RFC 9457 problem documents: a stable type, a title, and a detail that says what to do next."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.intake.submission import DeclinedError, SubmissionResult
from gateway.intake.validation import FieldError, field_error, sentence
from store.postgres.database import UNANSWERED

log = logging.getLogger("awda.gateway")

PROBLEM: Final = "application/problem+json"

PROBLEMS: Final[Mapping[str, tuple[int, str]]] = {
    "bad-request": (400, "Malformed HTTP request"),
    "bad-json": (400, "Malformed JSON"),
    "bad-key": (400, "Idempotency key missing or invalid"),
    "bad-user": (400, "Invalid user name"),
    "signature": (401, "Signature not accepted"),
    "unknown-caller": (401, "User not identified"),
    "forbidden": (403, "Forbidden"),
    "cross-site": (403, "Cross-site request not allowed"),
    "not-found": (404, "Not found"),
    "method": (405, "Method not allowed"),
    "key-reused": (422, "Idempotency key already used for another message"),
    "id-reused": (409, "Message id already used for another message"),
    "too-slow": (408, "Request timeout"),
    "number-taken": (409, "Number already in use"),
    "conflict": (409, "Not allowed in the case's current state"),
    "erased": (410, "Data erased"),
    "version-not-reached": (412, "Version not available yet"),
    "too-large": (413, "Payload too large"),
    "media-type": (415, "Unsupported media type"),
    "misdirected": (421, "Misdirected request"),
    "invalid-message": (422, "Message does not match its schema"),
    "invalid-query": (422, "Invalid request parameter"),
    "shape": (422, "Event does not match its schema"),
    "refused": (422, "Refused by a rule"),
    "too-many": (429, "Too many requests"),
    "head-too-large": (431, "Request header fields too large"),
    "quarantined": (500, "Message held for review"),
    "internal": (500, "Internal server error"),
    "extra-missing": (501, "Optional component not installed"),
    "unavailable": (503, "A required service is unavailable"),
}
"""Status and title of each problem, by the last part of its type."""

BY_STATUS: Final[Mapping[int, str]] = {404: "not-found", 405: "method", 413: "too-large", 415: "media-type"}

CONFLICTS: Final = re.compile(r"INV-18|.*\.(EXISTS|TAKEN|ASKED|OVER|STATUS|NOT_OPEN|NOT_CLOSED|NOT_A_DRAFT|ITEM_TWICE)")
"""Rules that refuse because of the state of the case or movement, not because of what the message says."""

BUSY: Final = (
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
)
"""Errors of an overloaded database that has changed nothing: the same request can be sent again."""

_FIELD_ERROR: Final = {name: {"type": "string"} for name in ("pointer", "code", "message")}

_MEMBERS: Final = {
    **{name: {"type": "string"} for name in ("type", "title", "detail", "rule", "rule_url")},
    "status": {"type": "integer"},
    "errors": {"type": "array", "items": {"type": "object", "properties": _FIELD_ERROR}},
    "message_id": {"type": "string", "format": "uuid"},
}

_SCHEMA: Final = {"type": "object", "required": ["type", "title", "status"], "properties": _MEMBERS}

DESCRIBED: Final[dict[str, Any]] = {"description": "Any error", "content": {PROBLEM: {"schema": _SCHEMA}}}


class ProblemError(Exception):
    """A response that is an error. ``slug`` is one of ``PROBLEMS``; ``more`` are further members of the document."""

    def __init__(self, slug: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(f"{slug}: {detail}")
        self.slug, self.detail, self.headers, self.more = slug, detail, dict(headers or {}), more


def rule_url(code: str) -> str:
    """Returns the address at which the gateway explains a rule code."""
    return f"/rules/{code}"


def problem(slug: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    """Returns the response for a problem. Members without a value are left out."""
    status, title = PROBLEMS[slug]
    members = {"type": f"/problems/{slug}", "title": title, "status": status, "detail": detail, **more}
    if code := more.get("rule") or more.get("cause"):
        members["rule_url"] = rule_url(code)
    body = {name: part for name, part in members.items() if part not in (None, (), [])}
    return JSONResponse(body, status, dict(headers or {}), PROBLEM)


def problem_of(error: ProblemError) -> JSONResponse:
    """Returns the response for a problem that was raised."""
    return problem(error.slug, error.detail, error.headers, **error.more)


def declined(error: DeclinedError) -> JSONResponse:
    """Returns the response for a message that the intake declined."""
    return problem(
        error.problem,
        error.detail,
        {"Idempotent-Replayed": "true"} if error.repeated else None,
        rule=error.rule,
        errors=[each.json() for each in error.flaws],
        message_id=str(error.message_id) if error.message_id else None,
    )


def refused(answer: SubmissionResult, headers: Mapping[str, str]) -> JSONResponse:
    """Returns the response for a message that was accepted by the intake and refused by a rule."""
    result = answer.result
    rule = str(result.get("rule", ""))
    slug = "conflict" if CONFLICTS.fullmatch(rule) else "refused"
    return problem(
        slug,
        str(result.get("detail") or "A rule refused the message."),
        headers,
        rule=rule,
        field=result.get("field"),
        failures=result.get("failures"),
        number=answer.number,
        version=answer.version,
        message_id=str(answer.message_id),
    )


def quarantined(answer: SubmissionResult, headers: Mapping[str, str]) -> JSONResponse:
    """Returns the response for a quarantined message. It is an error, so that the sender does not take it for done."""
    return problem(
        "quarantined",
        "The message is stored and has no effect yet. A person must decide about it at /api/v1/quarantine; "
        "until then it counts as a reason against travel.",
        headers,
        cause=answer.result.get("cause"),
        number=answer.number,
        version=answer.version,
        message_id=str(answer.message_id),
    )


def install(app: FastAPI) -> None:
    """Makes the application answer every error with a problem document."""

    @app.exception_handler(ProblemError)
    async def _problem(_: Request, error: ProblemError) -> JSONResponse:
        return problem_of(error)

    @app.exception_handler(DeclinedError)
    async def _declined(_: Request, error: DeclinedError) -> JSONResponse:
        return declined(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = [_parameter_error(each) for each in error.errors()]
        return problem("invalid-query", sentence(errors, values=True), errors=[each.json() for each in errors])

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        slug = BY_STATUS.get(error.status_code, "internal")
        detail = f"{HTTPStatus(error.status_code).phrase}."
        if slug == "method":
            detail = f"The method {request.method} is not allowed for this address; Allow lists those that are."
        closing = {"Connection": "close"} if slug == "too-large" else {}  # the rest of the body is not read
        return problem(slug, detail, {**(error.headers or {}), **closing})

    app.add_middleware(ProblemMiddleware)


def _parameter_error(error: dict[str, Any]) -> FieldError:
    """Describes an invalid parameter, by pointer without the place (path, query or header) it was in."""
    return field_error(cast("ErrorDetails", {**error, "loc": tuple(error["loc"])[1:]}))


class ProblemMiddleware:
    """Answers every unhandled exception with 500 or 503, without any data in the response or in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        response = _ResponseSender(scope, receive, send)
        try:
            await self.app(scope, receive, response)
        except Exception as error:
            if response.started:
                raise
            await _unhandled(error)(scope, receive, response)


@dataclass(slots=True)
class _ResponseSender:
    """Adds the security headers to every response, and replaces a plain-text 413 by a problem document."""

    scope: Scope
    receive: Receive
    send: Send
    started: bool = False
    replaced: bool = False

    async def __call__(self, message: Message) -> None:
        if self.replaced:
            return
        if message["type"] == "http.response.start":
            self.started = True
            if message["status"] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and not _is_problem(message["headers"]):
                self.replaced = True
                await _too_large()(self.scope, self.receive, self._with_security_headers)
                return
        await self._with_security_headers(message)

    async def _with_security_headers(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message["headers"]
            message["headers"] = [*headers, *(line for line in SECURITY_HEADERS if line not in headers)]
        await self.send(message)


def _is_problem(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name == b"content-type" and value.startswith(PROBLEM.encode()) for name, value in headers)


def _too_large() -> JSONResponse:
    return problem("too-large", "The body is larger than this address accepts.", {"Connection": "close"})


SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)


def _unhandled(error: Exception) -> JSONResponse:
    kind = type(error).__name__
    if isinstance(error, (*UNANSWERED, *BUSY)):
        log.warning("answered 503: %s", kind)
        return problem(
            "unavailable",
            "The database is unavailable or overloaded. Nothing was stored; send the same request again.",
            {"Retry-After": "2"},
        )
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    place = f"{frame.tb_frame.f_globals.get('__name__')}:{frame.tb_lineno}" if frame else "?"
    log.error("answered 500: %s at %s", kind, place)
    return problem("internal", "Nothing that was acknowledged is lost. The gateway's log names the module and line.")
