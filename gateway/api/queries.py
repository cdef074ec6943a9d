"""What can be read: the worklist from its table, one case or movement folded from the log, at any moment."""

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
from gateway.api.messages import told_of
from gateway.http.authorization import Action, Caller, may
from gateway.http.dependencies import intake_of
from gateway.http.problems import PROBLEMS, ProblemError
from gateway.intake.service import Intake
from gateway.intake.staff import NUMBER
from store.log.streams import by_number
from store.projections.escalation_digest import digest

LONGEST_WAIT_S: Final = 5.0

POLL_S: Final = 0.05

router = APIRouter(prefix="/api/v1", tags=["reading"])

open_router = APIRouter(tags=["reference"])

Limit = Annotated[int, Query(ge=1, le=200)]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """From when a reader looks. What was true then, what was known then, and which version must be in."""

    as_of: Annotated[AwareDatetime | None, Query(description="What was true at this time")] = None
    known_at: Annotated[AwareDatetime | None, Query(description="What was known at this time")] = None
    min_version: Annotated[int, Query(ge=0, le=2**53, description="Wait until this version can be read")] = 0

    @property
    def back(self) -> datetime | None:
        """The moment of a look back; ``None`` for a look at the present."""
        return self.as_of or self.known_at

    def json(self) -> dict[str, str]:
        asked = {"as_of": self.as_of, "known_at": self.known_at}
        return {name: iso_utc(at) for name, at in asked.items() if at}

    def etag(self, version: int) -> dict[str, str]:
        """The version of what is read now; a look back has none."""
        return {} if self.back else {"ETag": f'"v{version}"'}


@router.get("/cases")
async def list_cases(
    request: Request,
    _: Annotated[Caller, Depends(may(Action.LIST_CASES))],
    limit: Limit = 50,
    cursor: str | None = None,
    phase: Annotated[str | None, Query(max_length=40)] = None,
    country: Annotated[str | None, Query(max_length=3)] = None,
) -> JSONResponse:
    """Cases by number; the ``next`` link leads on."""
    after = _after(cursor)
    asked = [None if value is None or "\0" in value else value for value in (phase, country)]
    rows = await intake_of(request).pool.fetch(_LIST, after, *asked, limit + 1)
    page = [_listed(row) for row in rows[:limit]]
    following = _cursor(page[-1]["case_number"]) if len(rows) > limit else None
    return _page({"cases": page, "next": following}, request, following)


@router.get("/cases/{number}")
async def read_case(
    request: Request,
    number: str,
    _: Annotated[Caller, Depends(may(Action.READ_CASE))],
    glance: Annotated[ReadOptions, Depends()],
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Where a case stands, or stood."""
    return await _read(request, "case", glance, if_none_match)


@router.get("/movements/{number}")
async def read_movement(
    request: Request,
    number: str,
    _: Annotated[Caller, Depends(may(Action.READ_MOVEMENT))],
    glance: Annotated[ReadOptions, Depends()],
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Where a movement stands, or stood."""
    return await _read(request, "movement", glance, if_none_match)


@router.get("/cases/{number}/history")
async def read_history(
    request: Request,
    number: str,
    _: Annotated[Caller, Depends(may(Action.READ_CASE))],
    glance: Annotated[ReadOptions, Depends()],
    limit: Limit = 200,
    cursor: str | None = None,
) -> JSONResponse:
    """What happened, oldest first, one sentence per event."""
    after = _version_after(cursor)
    folded = await _folded(request, "case", glance)
    entries = [entry for entry in folded.entries if entry.version > after]
    following = _cursor(str(entries[limit - 1].version)) if len(entries) > limit else None
    body = {"events": history_of(entries[:limit]), **glance.json(), "next": following}
    return _page(body, request, following, glance.etag(_version(folded)))


@router.get("/escalations")
async def read_escalations(
    request: Request,
    _: Annotated[Caller, Depends(may(Action.READ_DIGEST))],
    since: Annotated[date | None, Query(description="Only what came so far on that day or later")] = None,
) -> JSONResponse:
    """The digest: how many referrals nobody answers, by day, partner and kind, newest day first."""
    found = await digest(intake_of(request).pool, since)
    shown = [{**asdict(each), "day": each.day.isoformat(), "since": iso_utc(each.since)} for each in found]
    return JSONResponse({"escalations": shown})


@router.get("/messages/{message_id}")
async def read_message(
    request: Request, message_id: UUID, _: Annotated[Caller, Depends(may(Action.READ_MESSAGE))]
) -> JSONResponse:
    """What has become of a message."""
    answer = await intake_of(request).wait(message_id, 0)
    if answer is None:
        raise ProblemError("not-found", f"there is no message {message_id}")
    return JSONResponse(told_of(answer))


@open_router.get("/problems/{slug}")
async def read_problem(slug: str) -> JSONResponse:
    """What a problem's type means."""
    if slug not in PROBLEMS:
        raise ProblemError("not-found", f"there is no problem {slug[:64]!r}")
    status, title = PROBLEMS[slug]
    return JSONResponse({"type": f"/problems/{slug}", "title": title, "status": status})


@open_router.get("/healthz")
async def healthz(request: Request) -> JSONResponse:
    """Whether messages can be taken in now."""
    async with asyncio.timeout(2):
        await intake_of(request).pool.fetchval("SELECT 1")
    return JSONResponse({"status": "ok"})


async def _read(request: Request, kind: str, glance: ReadOptions, if_none_match: str | None) -> Response:
    folded = await _folded(request, kind, glance)
    etag = glance.etag(_version(folded))
    if etag and if_none_match and etag["ETag"] in if_none_match:
        return Response(status_code=304, headers=etag)
    pool = intake_of(request).pool
    ctx = await at_present(pool, folded.head.stream_id, at=glance.back)
    return JSONResponse({**await shown(pool, folded, ctx, at=glance.back), **glance.json()}, headers=etag)


async def _folded(request: Request, kind: str, glance: ReadOptions) -> ReplayedStream:
    """The stream named in the path, folded from the log. Raises ``ProblemError``."""
    intake = intake_of(request)
    stream_id = await _found(intake, request.path_params["number"], kind, glance.min_version)
    return await replay(intake.pool, intake.keys, stream_id, as_of=glance.as_of, known_at=glance.known_at)


async def _found(intake: Intake, number: str, kind: str, min_version: int) -> UUID:
    """The stream of that number, once it has reached a version. Raises ``ProblemError``."""
    until = monotonic() + LONGEST_WAIT_S
    while True:
        head = await by_number(intake.pool, number) if NUMBER.fullmatch(number) else None
        if head is None or head.kind != kind:
            raise ProblemError("not-found", f"there is no {kind} {number[:64]!r}")
        if head.version >= min_version:
            return head.stream_id
        if monotonic() >= until:
            raise ProblemError(
                "version-not-reached", f"{number} is at version {head.version}", headers={"Retry-After": "1"}
            )
        await asyncio.sleep(POLL_S)


def _version(folded: ReplayedStream) -> int:
    return folded.entries[-1].version if folded.entries else 0


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
    """What a cursor stands for: the last thing of the page before."""
    if not cursor:
        return ""
    try:
        last = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        last = ""
    if not NUMBER.fullmatch(last):
        raise ProblemError("invalid-query", "that cursor was not given here: begin without one")
    return last


def _version_after(cursor: str | None) -> int:
    last = _after(cursor) or "0"
    if not last.isdigit():
        raise ProblemError("invalid-query", "that cursor was not given here: begin without one")
    return int(last)


_LIST = """
SELECT stream_id, number, phase, stages, holds, priority, country_of_return, office, movement, waiting_on,
       next_deadline, version, updated_at
FROM worklist
WHERE number > $1 AND ($2::text IS NULL OR phase = $2) AND ($3::text IS NULL OR country_of_return = $3)
ORDER BY number LIMIT $4
"""
