"""Staff give out task links, see what became of them, and end them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from audit.replay import iso_utc
from domain.kernel.policy import NEWEST
from gateway.api.messages import Key
from gateway.http.authorization import Action, Caller, may
from gateway.http.dependencies import intake_of
from gateway.http.problems import ProblemError
from gateway.intake.staff import USER
from gateway.intake.submission import DeclinedError
from gateway.pages.routes import face_of
from gateway.partner_access.task_links import IssuedLink, TaskLinks
from store.partners.task_links import TaskLink
from store.postgres.clock import now

router = APIRouter(prefix="/api/v1", tags=["task links"])


@router.post("/cases/{number}/referrals/{referral_id}/links", status_code=201)
async def issue_link(
    request: Request,
    number: str,
    referral_id: UUID,
    caller: Annotated[Caller, Depends(may(Action.ISSUE_LINK))],
    key: Key = None,
) -> JSONResponse:
    """Give out a link and its code for one referral, this once; an earlier link for it ends."""
    if key is None:
        raise ProblemError(
            "bad-key", "send an Idempotency-Key header, such as a fresh UUID; a repetition keeps its key"
        )
    if not USER.fullmatch(caller.user):
        raise DeclinedError("bad-user", "that is no user's name")
    links = TaskLinks(intake_of(request), face_of(request))
    issued = await links.issue(number, user=caller.user, key=key, referral_id=referral_id)
    return JSONResponse(told_issued(issued, base_of(request)), 201)


@router.get("/cases/{number}/links")
async def list_links(
    request: Request, number: str, _: Annotated[Caller, Depends(may(Action.LIST_LINKS))]
) -> JSONResponse:
    """The links of a case, newest first: for whom, until when, opened when, ended how. Never a link itself."""
    links = TaskLinks(intake_of(request), face_of(request))
    found = await links.links.listed(await links.stream_of(number))
    return JSONResponse({"links": await listed(links, found)})


@router.delete("/cases/{number}/links/{link_id}")
async def revoke_link(
    request: Request, number: str, link_id: UUID, _: Annotated[Caller, Depends(may(Action.REVOKE_LINK))]
) -> JSONResponse:
    """End a link now. Pages that are open with it can no longer be sent."""
    links = TaskLinks(intake_of(request), face_of(request))
    known = {link.link_id for link in await links.links.listed(await links.stream_of(number))}
    if link_id not in known:
        raise ProblemError("not-found", f"this case has no link {link_id}")
    return JSONResponse({"link_id": str(link_id), "revoked": await links.links.revoke(link_id)})


def base_of(request: Request) -> str:
    """The address links are given out under."""
    settings = request.app.state.settings
    return settings.face.url or f"http://{settings.host}:{settings.port}"


def told_issued(issued: IssuedLink, base: str) -> dict[str, Any]:
    """What whoever gives it out is told. Link and code must not travel together."""
    return {
        "link": issued.address(base),
        "code": issued.code,
        "link_id": str(issued.link.link_id),
        "reference": issued.link.reference,
        "purpose": issued.link.purpose,
        "partner_id": issued.link.partner_id,
        "expires_at": iso_utc(issued.link.expires_at),
    }


async def listed(links: TaskLinks, found: Sequence[TaskLink]) -> list[dict[str, Any]]:
    """Links as they are shown to staff, with when each was opened."""
    openings = await links.links.openings([link.link_id for link in found])
    at = await now(links.intake.pool)
    return [told_link(link, openings[link.link_id], at) for link in found]


def told_link(link: TaskLink, opened: Sequence[datetime], at: datetime) -> dict[str, Any]:
    return {
        "link_id": str(link.link_id),
        "reference": link.reference,
        "referral_id": str(link.referral_id),
        "partner_id": link.partner_id,
        "purpose": link.purpose,
        "status": status_of(link, at),
        "issued_by": link.issued_by,
        "issued_at": iso_utc(link.issued_at),
        "expires_at": iso_utc(link.expires_at),
        "opened": [iso_utc(each) for each in opened],
        "answers": link.answers,
        "wrong_codes": link.tries,
    }


def status_of(link: TaskLink, at: datetime) -> str:
    """``open``, or why it cannot be opened any more."""
    if link.ended_by:
        return link.ended_by
    if link.tries >= NEWEST.in_force.task_link_tries:
        return "locked"
    return "expired" if link.expires_at <= at else "open"
