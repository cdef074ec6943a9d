"""Every error as RFC 9457 says it: ``application/problem+json``, with a stable type, and what to do next."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.intake.submission import DeclinedError, SubmissionResult
from gateway.intake.validation import FieldError, pointer
from store.postgres.database import UNANSWERED

log = logging.getLogger("awda.gateway")

PROBLEM: Final = "application/problem+json"

PROBLEMS: Final[Mapping[str, tuple[int, str]]] = {
    "bad-request": (400, "This is not HTTP as it is spoken here"),
    "bad-json": (400, "The body cannot be read"),
    "bad-key": (400, "The idempotency key cannot be used"),
    "bad-user": (400, "The user's name cannot be used"),
    "signature": (401, "The signature was not accepted"),
    "unknown-caller": (401, "Nobody says who is asking"),
    "forbidden": (403, "Not for this caller"),
    "cross-site": (403, "Not from another site's page"),
    "not-found": (404, "There is no such thing here"),
    "method": (405, "Not with this method"),
    "key-reused": (422, "The idempotency key was used for another message"),
    "id-reused": (409, "The id was used for another message"),
    "too-slow": (408, "It took too long to arrive"),
    "number-taken": (409, "The number is taken"),
    "conflict": (409, "As things stand, a rule forbids it"),
    "erased": (410, "Erased"),
    "version-not-reached": (412, "That version is not there yet"),
    "too-large": (413, "The body is too large"),
    "media-type": (415, "Not in this format"),
    "misdirected": (421, "Not under this host name"),
    "invalid-message": (422, "The message is not as its schema wants it"),
    "invalid-query": (422, "The query cannot be understood"),
    "shape": (422, "The event is not as its schema wants it"),
    "refused": (422, "A rule refused it"),
    "too-many": (429, "More than one partner may send at once"),
    "head-too-large": (431, "The headers are too large"),
    "quarantined": (500, "It is kept, and could not be taken in"),
    "internal": (500, "Something went wrong here"),
    "extra-missing": (501, "An optional part is not installed here"),
    "unavailable": (503, "A part that is needed is away"),
}

BY_STATUS: Final[Mapping[int, str]] = {404: "not-found", 405: "method", 413: "too-large", 415: "media-type"}

CONFLICTS: Final = re.compile(r"INV-18|.*\.(EXISTS|TAKEN|ASKED|OVER|STATUS|NOT_OPEN|NOT_CLOSED|NOT_A_DRAFT|ITEM_TWICE)")
"""Rules that object to the state of a case or movement, not to what was said."""

BUSY: Final = (
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
)
"""The database was asked too much at once and did nothing: the same again will do."""

_FLAW: Final = {name: {"type": "string"} for name in ("pointer", "code", "message")}

_MEMBERS: Final = {
    **{name: {"type": "string"} for name in ("type", "title", "detail", "rule", "rule_url")},
    "status": {"type": "integer"},
    "errors": {"type": "array", "items": {"type": "object", "properties": _FLAW}},
    "message_id": {"type": "string", "format": "uuid"},
}

_SCHEMA: Final = {"type": "object", "required": ["type", "title", "status"], "properties": _MEMBERS}

DESCRIBED: Final[dict[str, Any]] = {"description": "Any error", "content": {PROBLEM: {"schema": _SCHEMA}}}


class ProblemError(Exception):
    """An answer that is an error; ``slug`` is one of ``PROBLEMS``."""

    def __init__(self, slug: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(f"{slug}: {detail}")
        self.slug, self.detail, self.headers, self.more = slug, detail, dict(headers or {}), more


def rule_url(code: str) -> str:
    """Returns the address at which the gateway explains a rule code."""
    return f"/rules/{code}"


def problem(slug: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    """The response for a problem; members without a value are left out."""
    status, title = PROBLEMS[slug]
    told = {"type": f"/problems/{slug}", "title": title, "status": status, "detail": detail, **more}
    if code := more.get("rule") or more.get("cause"):
        told["rule_url"] = rule_url(code)
    body = {name: part for name, part in told.items() if part not in (None, (), [])}
    return JSONResponse(body, status, dict(headers or {}), PROBLEM)


def problem_of(no: ProblemError) -> JSONResponse:
    """The response for one that was raised."""
    return problem(no.slug, no.detail, no.headers, **no.more)


def declined(no: DeclinedError) -> JSONResponse:
    """What the desk would not take in."""
    return problem(
        no.problem,
        no.detail,
        {"Idempotent-Replayed": "true"} if no.repeated else None,
        rule=no.rule,
        errors=[flaw.json() for flaw in no.flaws],
        message_id=str(no.message_id) if no.message_id else None,
    )


def refused(answer: SubmissionResult, headers: Mapping[str, str]) -> JSONResponse:
    """A message that was taken in, and refused by a rule."""
    told = answer.result
    rule, slug = str(told.get("rule", "")), "refused"
    if CONFLICTS.fullmatch(rule):
        slug = "conflict"
    return problem(
        slug,
        str(told.get("detail") or "refused"),
        headers,
        rule=rule,
        field=told.get("field"),
        failures=told.get("failures"),
        number=answer.number,
        version=answer.version,
        message_id=str(answer.message_id),
    )


def quarantined(answer: SubmissionResult, headers: Mapping[str, str]) -> JSONResponse:
    """A message that was kept and has no effect yet: whoever sent it must not believe that it was done."""
    return problem(
        "quarantined",
        "it is kept and has no effect yet: it waits for a person, who sees it at /api/v1/quarantine; "
        "until then it counts against travelling",
        headers,
        cause=answer.result.get("cause"),
        number=answer.number,
        version=answer.version,
        message_id=str(answer.message_id),
    )


def install(app: FastAPI) -> None:
    """Answer every error of an application in this way."""

    @app.exception_handler(ProblemError)
    async def _problem(_: Request, no: ProblemError) -> JSONResponse:
        return problem_of(no)

    @app.exception_handler(DeclinedError)
    async def _declined(_: Request, no: DeclinedError) -> JSONResponse:
        return declined(no)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, no: RequestValidationError) -> JSONResponse:
        flaws = [FieldError(pointer(error["loc"][1:]), error["type"], error["msg"]) for error in no.errors()]
        said = "; ".join(f"{flaw.pointer}: {flaw.message}" for flaw in flaws)
        return problem("invalid-query", said, errors=[flaw.json() for flaw in flaws])

    @app.exception_handler(HTTPException)
    async def _http(request: Request, no: HTTPException) -> JSONResponse:
        slug = BY_STATUS.get(no.status_code, "internal")
        said = f"{request.method} is not possible here" if slug == "method" else HTTPStatus(no.status_code).phrase
        rest = {"Connection": "close"} if slug == "too-large" else {}  # what is still to come is of no interest
        return problem(slug, said, {**(no.headers or {}), **rest})

    app.add_middleware(ProblemMiddleware)


class ProblemMiddleware:
    """The last resort: whatever else fails is a 500 or 503 without a word of data, in the answer as in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sending = _Sending(scope, receive, send)
        try:
            await self.app(scope, receive, sending)
        except Exception as fault:
            if sending.begun:
                raise
            await _last_resort(fault)(scope, receive, sending)


@dataclass(slots=True)
class _Sending:
    """The way out: every answer is hardened, and a body that was cut off in plain words is a problem document too."""

    scope: Scope
    receive: Receive
    send: Send
    begun: bool = False
    replaced: bool = False

    async def __call__(self, message: Message) -> None:
        if self.replaced:
            return
        if message["type"] == "http.response.start":
            self.begun = True
            if message["status"] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and not _is_problem(message["headers"]):
                self.replaced = True
                await _cut_off()(self.scope, self.receive, self._hardened)
                return
        await self._hardened(message)

    async def _hardened(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            there = message["headers"]
            message["headers"] = [*there, *(line for line in HARDENED if line not in there)]
        await self.send(message)


def _is_problem(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name == b"content-type" and value.startswith(PROBLEM.encode()) for name, value in headers)


def _cut_off() -> JSONResponse:
    return problem("too-large", "the body is larger than this address takes", {"Connection": "close"})


HARDENED: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)


def _last_resort(fault: Exception) -> JSONResponse:
    kind = type(fault).__name__
    if isinstance(fault, (*UNANSWERED, *BUSY)):
        log.warning("answered 503: %s", kind)
        return problem(
            "unavailable", "the database is away or busy: nothing was taken in, try again", {"Retry-After": "2"}
        )
    where = fault.__traceback__
    while where and where.tb_next:
        where = where.tb_next
    place = f"{where.tb_frame.f_globals.get('__name__')}:{where.tb_lineno}" if where else "?"
    log.error("answered 500: %s at %s", kind, place)
    return problem("internal", "nothing was lost that was acknowledged; the log of the gateway names the place")
