"""Reads request bodies: at most a given number of bytes, in limited time, as unambiguous JSON."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fastapi import Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect

from gateway.http.problems import ProblemError
from gateway.intake.strict_json import StrictJsonError, parse_object
from gateway.intake.submission import DeclinedError
from gateway.intake.validation import FieldError, field_error, sentence

STAFF_BODY: Final = 256 * 1024  # bytes of a staff request's body

BODY_WITHIN_S: Final = 10.0  # seconds in which a body must arrive


class _About(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    happened_at: AwareDatetime | None = Field(default=None, strict=False)
    reason: str | None = Field(default=None, min_length=1, max_length=2000)


@dataclass(frozen=True, slots=True)
class SubmittedMessage:
    """A staff message as it was sent: its name, its fields, and the time and reason given with it."""

    name: object
    fields: dict[str, Any]
    happened_at: datetime | None
    reason: str | None


async def read_body(request: Request, limit: int) -> bytes:
    """Returns the body. Reads no further than the limit in bytes.

    Raises ``ProblemError`` if the body is larger or does not arrive within ``BODY_WITHIN_S``.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            return await _read(request, limit)
    except TimeoutError:
        raise _closing(
            "too-slow", f"The body did not arrive within {BODY_WITHIN_S:g} seconds. Send the request again."
        ) from None
    except ClientDisconnect:
        raise _closing("bad-request", "The connection was closed before the whole body had arrived.") from None


async def _read(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


async def submitted_message(request: Request) -> SubmittedMessage:
    """Reads a staff message: ``{"message": NAME, …fields, "about": {"happened_at", "reason"}}``.

    Raises ``ProblemError`` and ``DeclinedError``.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise ProblemError("media-type", "Send the message with the content type application/json.")
    body = await read_body(request, STAFF_BODY)
    try:
        fields = parse_object(body)
    except StrictJsonError as error:
        raise ProblemError("bad-json", f"{error}.") from None
    about = _about(fields.pop("about", {}))
    return SubmittedMessage(fields.pop("message", None), fields, about.happened_at, about.reason)


def _about(value: object) -> _About:
    if isinstance(value, dict) and not isinstance(value.get("happened_at", ""), str):
        raise _invalid(
            [
                FieldError(
                    "/about/happened_at", "time.text", "Happened at must be text, for example 2026-11-23T08:00:00Z"
                )
            ]
        )
    try:
        return _About.model_validate(value)
    except ValidationError as error:
        raise _invalid([field_error(each, "/about") for each in error.errors(include_url=False)]) from None


def _invalid(errors: list[FieldError]) -> DeclinedError:
    return DeclinedError("invalid-message", sentence(errors, values=True), rule="MESSAGE.INVALID", flaws=tuple(errors))


def _too_large(limit: int) -> ProblemError:
    return _closing("too-large", f"The body may have at most {limit} bytes.")


def _closing(slug: str, detail: str) -> ProblemError:
    """Returns a problem after which the connection is closed, because the rest of the request is not read."""
    return ProblemError(slug, detail, headers={"Connection": "close"})
