"""A partner's ledger: the account of each day, and a feed of the partner's own messages in their order.

A partner authenticates by signing the request line as it signs its messages. It learns what it sent and that it was
received, but never the result of a message, because results disclose people's cases.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from time import monotonic
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from audit.replay import iso_utc
from gateway.http.authorization import Action, authorise, caller_of
from gateway.http.dependencies import intake_of
from gateway.http.problems import ProblemError
from gateway.http.signed_request import request_line, signed_headers
from gateway.intake.partners import RECEIVED
from gateway.intake.service import Intake
from gateway.intake.submission import YEARS
from store.crypto.webhook_signatures import HEADERS
from store.messages.ledger import LedgerDay, LedgerEntry
from store.partners.registry import get
from store.postgres import clock

router = APIRouter(prefix="/api/v1", tags=["partners"])

LONGEST_WAIT_S: Final = 25

POLL_S: Final = 0.25

WAITING: Final = 4  # concurrent long polls of one partner

SHOWN_DAYS: Final = timedelta(days=31)  # if no first day is given

MOST_DAYS: Final = timedelta(days=366)

CONTRADICTED: Final = "contradicted"
"""The only status besides ``received``: the partner used the id again for another message, which was rejected."""

_HEADER: Final[dict[str, Any]] = {"in": "header", "schema": {"type": "string"}}

SIGNED: Final[dict[str, Any]] = {
    "parameters": [{"name": name, "required": False, **_HEADER} for name in HEADERS],
}


@dataclass(frozen=True, slots=True)
class LedgerReader:
    """Who reads a ledger: the partner ``itself``, or staff."""

    itself: bool


def reads(action: Action) -> Callable[[Request, str], Awaitable[LedgerReader]]:
    """Returns the dependency of a route that is open to the partner under its signature, and to authorized staff."""

    async def allowed(request: Request, partner_id: str) -> LedgerReader:
        if any(name in request.headers for name in HEADERS):
            await intake_of(request).partners.authenticate(partner_id, signed_headers(request), request_line(request))
            return LedgerReader(itself=True)
        authorise(caller_of(request), action, partner_id)
        if "\0" in partner_id or await get(intake_of(request).pool, partner_id) is None:
            raise ProblemError("not-found", f"There is no partner {partner_id[:64]!r}.")
        return LedgerReader(itself=False)

    allowed.action = action  # type: ignore[attr-defined]  # read by the test that every route has an authorization
    return allowed


@router.get(
    "/partners/{partner_id}/accounts", summary="Get the daily accounts of a partner's messages", openapi_extra=SIGNED
)
async def read_accounts(
    request: Request,
    partner_id: str,
    reader: Annotated[LedgerReader, Depends(reads(Action.READ_ACCOUNTS))],
    since: Annotated[date | None, Query(description="The first day (UTC); by default 31 days before the last")] = None,
    until: Annotated[date | None, Query(description="The last day (UTC); by default today")] = None,
) -> JSONResponse:
    """Returns the account of each day: how many messages were sent, and how many of them are unaccounted for.

    A partner signs the request line (`GET /api/v1/…?…`) by Standard Webhooks, in place of a body.
    """
    intake = intake_of(request)
    first, last = _span(since, until, (await clock.now(intake.pool)).date())
    days = await intake.ledgers.days(partner_id, first, last)
    head = await intake.ledgers.head(partner_id)
    accounts = [await _day(intake, partner_id, day, reader) for day in days]
    return JSONResponse({"partner": partner_id, "days": accounts, "last": head.seq if head else 0})


@router.get("/partners/{partner_id}/feed", summary="Read the feed of a partner's messages", openapi_extra=SIGNED)
async def read_feed(
    request: Request,
    partner_id: str,
    _: Annotated[LedgerReader, Depends(reads(Action.READ_ACCOUNTS))],
    after: Annotated[int, Query(ge=0, le=2**53, description="The last number that was read")] = 0,
    wait: Annotated[int, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for new messages")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> JSONResponse:
    """Returns the partner's own messages after a number, with their digests. Entries are only ever added at the end.

    A partner signs the request line (`GET /api/v1/…?…`) by Standard Webhooks, in place of a body.
    """
    intake = intake_of(request)
    last = await _wait_for_entries(request, partner_id, after, wait)
    entries = await intake.ledgers.entries(partner_id, after, limit)
    following = entries[-1].number if entries else after
    lines = [_line(entry) for entry in entries]
    return JSONResponse({"partner": partner_id, "entries": lines, "next": following, "last": max(last, following)})


def _span(since: date | None, until: date | None, today: date) -> tuple[date, date]:
    """Returns the first and the last day requested. Raises ``ProblemError``."""
    last = until or today
    if last.year in YEARS and (since or last).year in YEARS:
        first = since or last - SHOWN_DAYS
        if timedelta(0) <= last - first <= MOST_DAYS:
            return first, last
    raise ProblemError("invalid-query", "Since must not be after until, and at most 366 days before it.")


async def _wait_for_entries(request: Request, partner_id: str, after: int, wait: int) -> int:
    """Returns the newest number as soon as it exceeds ``after``, or when ``wait`` seconds have passed."""
    intake, waiting = intake_of(request), request.app.state.waiting
    until = monotonic() + (wait if waiting[partner_id] < WAITING else 0)
    waiting[partner_id] += 1
    try:
        while True:
            head = await intake.ledgers.head(partner_id)
            if (head and head.seq > after) or monotonic() >= until or await request.is_disconnected():
                return head.seq if head else 0
            await asyncio.sleep(POLL_S)
    finally:
        waiting[partner_id] -= 1
        if not waiting[partner_id]:
            del waiting[partner_id]


async def _day(intake: Intake, partner_id: str, day: LedgerDay, reader: LedgerReader) -> dict[str, Any]:
    account = account_of(day)
    if reader.itself:
        account = {name: account[name] for name in ("day", "first", "last", "sent", "unaccounted", "conflicting")}
    return {**account, "sha256": await intake.ledgers.digest(partner_id, day)}


def account_of(day: LedgerDay) -> dict[str, Any]:
    """Returns a day's account as staff see it. ``sent`` is the sum of the statuses."""
    counted = ("sent", "applied", "ignored", "late", "quarantined", "refused", "pending", "unaccounted", "conflicting")
    counts = {name: getattr(day, name) for name in counted}
    return {"day": day.day.isoformat(), "first": day.first, "last": day.last, **counts}


def _line(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "id": entry.own_id,
        "sha256": entry.sha256,
        "received_at": iso_utc(entry.received_at),
        "status": CONTRADICTED if entry.contradicted else RECEIVED,
    }
