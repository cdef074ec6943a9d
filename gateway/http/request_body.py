"""Reading what was sent: never more than a limit, never in two ways."""

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
from gateway.intake.validation import FieldError, pointer

STAFF_BODY: Final = 256 * 1024

BODY_WITHIN_S: Final = 10.0


class _About(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    happened_at: AwareDatetime | None = Field(default=None, strict=False)
    reason: str | None = Field(default=None, min_length=1, max_length=2000)


@dataclass(frozen=True, slots=True)
class SubmittedMessage:
    """A staff message as sent: its name, its fields, and what is said about it."""

    name: object
    fields: dict[str, Any]
    happened_at: datetime | None
    reason: str | None


async def limited(request: Request, limit: int) -> bytes:
    """The body, if it is not larger than so many bytes and comes in time; what is beyond is not even read."""
    declared = request.headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            return await _read(request, limit)
    except TimeoutError:
        raise _cut("too-slow", f"a body has {BODY_WITHIN_S:g} seconds to arrive") from None
    except ClientDisconnect:
        raise _cut("bad-request", "the line was cut before the body had arrived") from None


async def _read(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


async def submitted_message(request: Request) -> SubmittedMessage:
    """A staff message: ``{"message": NAME, …fields, "about": {"happened_at", "reason"}}``."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise ProblemError("media-type", "send the message as application/json")
    body = await limited(request, STAFF_BODY)
    try:
        fields = parse_object(body)
    except StrictJsonError as why:
        raise ProblemError("bad-json", str(why)) from None
    about = _about(fields.pop("about", {}))
    return SubmittedMessage(fields.pop("message", None), fields, about.happened_at, about.reason)


def _about(said: object) -> _About:
    if isinstance(said, dict) and not isinstance(said.get("happened_at", ""), str):
        raise _unfit([FieldError("/about/happened_at", "time.text", "a time is text, such as 2026-11-23T08:00:00Z")])
    try:
        return _About.model_validate(said)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise _unfit(
            [FieldError("/about" + pointer(each["loc"]), each["type"], each["msg"]) for each in found]
        ) from None


def _unfit(flaws: list[FieldError]) -> DeclinedError:
    said = "; ".join(f"{flaw.pointer}: {flaw.message}" for flaw in flaws)
    return DeclinedError("invalid-message", said, rule="MESSAGE.INVALID", flaws=tuple(flaws))


def _too_large(limit: int) -> ProblemError:
    return _cut("too-large", f"a body may have {limit} bytes")


def _cut(slug: str, detail: str) -> ProblemError:
    """A problem after which the rest of the request is of no interest."""
    return ProblemError(slug, detail, headers={"Connection": "close"})
