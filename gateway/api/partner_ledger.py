"""What a partner, and we, can count: the account of each day, and the partner's own messages in their order.

A partner proves who it is by signing the request line, as it signs its messages. It learns what it sent and that we
have it, and nothing of what a message brought about: that would tell of people's cases.
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

LOOK_EVERY_S: Final = 0.25

WAITING: Final = 4  # requests of one partner that may wait for news at once

SHOWN_DAYS: Final = timedelta(days=31)

MOST_DAYS: Final = timedelta(days=366)

CONTRADICTED: Final = "contradicted"
"""Beside ``received``, all that a partner is told: it used the id again, for something else, and was refused."""

_HEADER: Final[dict[str, Any]] = {"in": "header", "schema": {"type": "string"}}

SIGNED: Final[dict[str, Any]] = {
    "description": "For partners: signed with Standard Webhooks over the request line (`GET /api/v1/…?…`) as the body.",
    "parameters": [{"name": name, "required": False, **_HEADER} for name in HEADERS],
}


@dataclass(frozen=True, slots=True)
class LedgerReader:
    """Who reads an account: the partner ``itself``, or somebody of ours."""

    itself: bool


def reads(action: Action) -> Callable[[Request, str], Awaitable[LedgerReader]]:
    """What a route depends on: the partner under its signature, or a caller who may do this."""

    async def allowed(request: Request, partner_id: str) -> LedgerReader:
        if any(name in request.headers for name in HEADERS):
            await intake_of(request).partners.authenticate(partner_id, signed_headers(request), request_line(request))
            return LedgerReader(itself=True)
        authorise(caller_of(request), action, partner_id)
        if "\0" in partner_id or await get(intake_of(request).pool, partner_id) is None:
            raise ProblemError("not-found", f"there is no partner {partner_id[:64]!r}")
        return LedgerReader(itself=False)

    allowed.action = action  # type: ignore[attr-defined]  # read by whoever checks that every route asks
    return allowed


@router.get("/partners/{partner_id}/accounts", openapi_extra=SIGNED)
async def read_accounts(
    request: Request,
    partner_id: str,
    reader: Annotated[LedgerReader, Depends(reads(Action.READ_ACCOUNTS))],
    since: Annotated[date | None, Query(description="The first day (UTC); a month ago unless told")] = None,
    until: Annotated[date | None, Query(description="The last day (UTC)")] = None,
) -> JSONResponse:
    """The account of each day: what was sent, and that nothing of it is unaccounted for."""
    intake = intake_of(request)
    first, last = _span(since, until, (await clock.now(intake.pool)).date())
    days = await intake.ledgers.days(partner_id, first, last)
    head = await intake.ledgers.head(partner_id)
    told = [await _day(intake, partner_id, day, reader) for day in days]
    return JSONResponse({"partner": partner_id, "days": told, "last": head.seq if head else 0})


@router.get("/partners/{partner_id}/feed", openapi_extra=SIGNED)
async def read_feed(
    request: Request,
    partner_id: str,
    _: Annotated[LedgerReader, Depends(reads(Action.READ_ACCOUNTS))],
    after: Annotated[int, Query(ge=0, le=2**53, description="The number read last")] = 0,
    wait: Annotated[int, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for something new")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> JSONResponse:
    """The partner's own messages behind a number, each with the digest of what came. Nothing is ever put in between."""
    intake = intake_of(request)
    last = await _news(request, partner_id, after, wait)
    entries = await intake.ledgers.entries(partner_id, after, limit)
    following = entries[-1].number if entries else after
    lines = [_line(entry) for entry in entries]
    return JSONResponse({"partner": partner_id, "entries": lines, "next": following, "last": max(last, following)})


def _span(since: date | None, until: date | None, today: date) -> tuple[date, date]:
    """The days asked for; the last month unless told. Raises ``ProblemError``."""
    last = until or today
    if last.year in YEARS and (since or last).year in YEARS:
        first = since or last - SHOWN_DAYS
        if timedelta(0) <= last - first <= MOST_DAYS:
            return first, last
    raise ProblemError("invalid-query", "since must not be after until, nor more than a year before it")


async def _news(request: Request, partner_id: str, after: int, wait: int) -> int:
    """The newest number, once there is one behind ``after`` or so many seconds have gone."""
    intake, waiting = intake_of(request), request.app.state.waiting
    until = monotonic() + (wait if waiting[partner_id] < WAITING else 0)
    waiting[partner_id] += 1
    try:
        while True:
            head = await intake.ledgers.head(partner_id)
            if (head and head.seq > after) or monotonic() >= until or await request.is_disconnected():
                return head.seq if head else 0
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        waiting[partner_id] -= 1
        if not waiting[partner_id]:
            del waiting[partner_id]


async def _day(intake: Intake, partner_id: str, day: LedgerDay, reader: LedgerReader) -> dict[str, Any]:
    told = account_of(day)
    if reader.itself:
        told = {name: told[name] for name in ("day", "first", "last", "sent", "unaccounted", "conflicting")}
    return {**told, "sha256": await intake.ledgers.digest(partner_id, day)}


def account_of(day: LedgerDay) -> dict[str, Any]:
    """A day's account as it is shown to us: ``sent`` is the sum of the rest."""
    counted = ("sent", "applied", "ignored", "late", "quarantined", "refused", "pending", "unaccounted", "conflicting")
    told = {name: getattr(day, name) for name in counted}
    return {"day": day.day.isoformat(), "first": day.first, "last": day.last, **told}


def _line(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "id": entry.own_id,
        "sha256": entry.sha256,
        "received_at": iso_utc(entry.received_at),
        "status": CONTRADICTED if entry.contradicted else RECEIVED,
    }
