"""Queries: the list of cases from its projection, and one case or movement replayed from the log, as of any time."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from dataclasses import asdict, dataclass
from datetime import date, datetime
from time import monotonic
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AwareDatetime

from audit.as_of_now import at_present
from audit.case_view import shown
from audit.history import history_of
from audit.replay import ReplayedStream, iso_utc, replay
from gateway.api.messages import status_json
from gateway.http.authorization import Action, Caller, may
from gateway.http.dependencies import intake_of
from gateway.http.problems import PROBLEMS, ProblemError
from gateway.intake.service import Intake
from gateway.intake.staff import NUMBER
from store.log.streams import by_number
from store.projections.escalation_digest import digest

LONGEST_WAIT_S: Final = 5.0

POLL_S: Final = 0.05

router = APIRouter(prefix="/api/v1", tags=["queries"])

open_router = APIRouter(tags=["reference"])

Limit = Annotated[int, Query(ge=1, le=200)]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """As of when a stream is read, and which version must be included (read your own writes)."""

    as_of: Annotated[AwareDatetime | None, Query(description="Show what was true at this time")] = None
    known_at: Annotated[AwareDatetime | None, Query(description="Show what was known at this time")] = None
    min_version: Annotated[int, Query(ge=0, le=2**53, description="Wait until this version can be read")] = 0

    @property
    def back(self) -> datetime | None:
        """The past time that is read, or ``None`` for the present."""
        return self.as_of or self.known_at

    def json(self) -> dict[str, str]:
        times = {"as_of": self.as_of, "known_at": self.known_at}
        return {name: iso_utc(at) for name, at in times.items() if at}

    def etag(self, version: int) -> dict[str, str]:
        """Returns the ETag of the present version; the past has none."""
        return {} if self.back else {"ETag": f'"v{version}"'}


@router.get("/cases", summary="List cases")
async def list_cases(
    request: Request,
    _: Annotated[Caller, Depends(may(Action.LIST_CASES))],
    limit: Limit = 50,
    cursor: str | None = None,
    phase: Annotated[str | None, Query(max_length=40)] = None,
    country: Annotated[str | None, Query(max_length=3)] = None,
) -> JSONResponse:
    """Returns cases by number, a page at a time; the link `next` leads to the following page."""
    after = _after(cursor)
    filters = [None if value is None or "\0" in value else value for value in (phase, country)]
    rows = await intake_of(request).pool.fetch(_LIST, after, *filters, limit + 1)
    page = [_listed(row) for row in rows[:limit]]
    following = _cursor(page[-1]["case_number"]) if len(rows) > limit else None
    return _page({"cases": page, "next": following}, request, following)


@router.get("/cases/{number}", summary="Get a case")
async def read_case(
    request: Request,
    number: str,
    _: Annotated[Caller, Depends(may(Action.READ_CASE))],
    options: Annotated[ReadOptions, Depends()],
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Returns the state of a case, now or as of an earlier time."""
    return await _read(request, "case", options, if_none_match)


@router.get("/movements/{number}", summary="Get a movement")
async def read_movement(
    request: Request,
    number: str,
    _: Annotated[Caller, Depends(may(Action.READ_MOVEMENT))],
    options: Annotated[ReadOptions, Depends()],
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Returns the state of a movement, now or as of an earlier time."""
    return await _read(request, "movement", options, if_none_match)


@router.get("/cases/{number}/history", summary="Get the history of a case")
async def read_history(
    request: Request,
    number: str,
    _: Annotated[Caller, Depends(may(Action.READ_CASE))],
    options: Annotated[ReadOptions, Depends()],
    limit: Limit = 200,
    cursor: str | None = None,
) -> JSONResponse:
    """Returns the events of a case, oldest first, with one sentence for each."""
    after = _version_after(cursor)
    replayed = await _replay(request, "case", options)
    entries = [entry for entry in replayed.entries if entry.version > after]
    following = _cursor(str(entries[limit - 1].version)) if len(entries) > limit else None
    body = {"events": history_of(entries[:limit]), **options.json(), "next": following}
    return _page(body, request, following, options.etag(_version(replayed)))


@router.get("/escalations", summary="Get the escalation digest")
async def read_escalations(
    request: Request,
    _: Annotated[Caller, Depends(may(Action.READ_DIGEST))],
    since: Annotated[date | None, Query(description="Only escalations of this day or later")] = None,
) -> JSONResponse:
    """Returns the number of escalated referrals by day, partner and kind, newest day first."""
    found = await digest(intake_of(request).pool, since)
    shown = [{**asdict(each), "day": each.day.isoformat(), "since": iso_utc(each.since)} for each in found]
    return JSONResponse({"escalations": shown})


@router.get("/messages/{message_id}", summary="Get the result of a message")
async def read_message(
    request: Request, message_id: UUID, _: Annotated[Caller, Depends(may(Action.READ_MESSAGE))]
) -> JSONResponse:
    """Returns the status of a message, and its result once it is known."""
    answer = await intake_of(request).staff.wait(message_id, 0)
    if answer is None:
        raise ProblemError("not-found", f"There is no message {message_id}.")
    return JSONResponse(status_json(answer))


@open_router.get("/problems/{slug}", summary="Get a problem type")
async def read_problem(slug: str) -> JSONResponse:
    """Returns the status and title of a problem type."""
    if slug not in PROBLEMS:
        raise ProblemError("not-found", f"There is no problem type {slug[:64]!r}.")
    status, title = PROBLEMS[slug]
    return JSONResponse({"type": f"/problems/{slug}", "title": title, "status": status})


@open_router.get("/healthz", summary="Check the health of the gateway")
async def healthz(request: Request) -> JSONResponse:
    """Returns 200 if messages can be accepted now, otherwise 503."""
    async with asyncio.timeout(2):
        await intake_of(request).pool.fetchval("SELECT 1")
    return JSONResponse({"status": "ok"})


async def _read(request: Request, kind: str, options: ReadOptions, if_none_match: str | None) -> Response:
    replayed = await _replay(request, kind, options)
    etag = options.etag(_version(replayed))
    if etag and if_none_match and etag["ETag"] in if_none_match:
        return Response(status_code=304, headers=etag)
    pool = intake_of(request).pool
    ctx = await at_present(pool, replayed.head.stream_id, at=options.back)
    return JSONResponse({**await shown(pool, replayed, ctx, at=options.back), **options.json()}, headers=etag)


async def _replay(request: Request, kind: str, options: ReadOptions) -> ReplayedStream:
    """Returns the stream named in the path, replayed from the log. Raises ``ProblemError``."""
    intake = intake_of(request)
    stream_id = await _found(intake, request.path_params["number"], kind, options.min_version)
    return await replay(intake.pool, intake.keys, stream_id, as_of=options.as_of, known_at=options.known_at)


async def _found(intake: Intake, number: str, kind: str, min_version: int) -> UUID:
    """Returns the stream with that number, once it has reached the version. Raises ``ProblemError``."""
    until = monotonic() + LONGEST_WAIT_S
    while True:
        head = await by_number(intake.pool, number) if NUMBER.fullmatch(number) else None
        if head is None or head.kind != kind:
            raise ProblemError("not-found", f"There is no {kind} {number[:64]!r}.")
        if head.version >= min_version:
            return head.stream_id
        if monotonic() >= until:
            raise ProblemError(
                "version-not-reached",
                f"{number} is at version {head.version}, not yet at {min_version}. Read it again.",
                headers={"Retry-After": "1"},
            )
        await asyncio.sleep(POLL_S)


def _version(replayed: ReplayedStream) -> int:
    return replayed.entries[-1].version if replayed.entries else 0


def _listed(row: Any) -> dict[str, Any]:
    return {
        "case_number": row["number"],
        "case_id": str(row["stream_id"]),
        "phase": row["phase"],
        "stages": json.loads(row["stages"]),
        "holds": row["holds"],
        "priority": row["priority"],
        "country_of_return": row["country_of_return"],
        "office": row["office"],
        "movement": row["movement"],
        "waiting_on": row["waiting_on"],
        "next_deadline": iso_utc(row["next_deadline"]) if row["next_deadline"] else None,
        "version": row["version"],
        "updated_at": iso_utc(row["updated_at"]),
    }


def _page(
    body: dict[str, Any], request: Request, following: str | None, headers: dict[str, str] | None = None
) -> JSONResponse:
    link = {}
    if following:
        url = request.url.include_query_params(cursor=following)
        link = {"Link": f'<{url.path}?{url.query}>; rel="next"'}
    return JSONResponse(body, headers={**(headers or {}), **link})


def _cursor(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")


def _after(cursor: str | None) -> str:
    """Returns what a cursor stands for: the last entry of the page before. Raises ``ProblemError``."""
    if not cursor:
        return ""
    try:
        last = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        last = ""
    if not NUMBER.fullmatch(last):
        raise ProblemError("invalid-query", "The cursor is not valid. Start again without a cursor.")
    return last


def _version_after(cursor: str | None) -> int:
    last = _after(cursor) or "0"
    if not last.isdigit():
        raise ProblemError("invalid-query", "The cursor is not valid. Start again without a cursor.")
    return int(last)


_LIST = """
SELECT stream_id, number, phase, stages, holds, priority, country_of_return, office, movement, waiting_on,
       next_deadline, version, updated_at
FROM worklist
WHERE number > $1 AND ($2::text IS NULL OR phase = $2) AND ($3::text IS NULL OR country_of_return = $3)
ORDER BY number LIMIT $4
"""
