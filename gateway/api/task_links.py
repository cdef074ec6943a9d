"""Task links: staff issue, list and revoke them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from audit.replay import iso_utc
from domain.kernel.policy import NEWEST
from gateway.api.messages import Key, required_key
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


@router.post("/cases/{number}/referrals/{referral_id}/links", summary="Issue a task link", status_code=201)
async def issue_link(
    request: Request,
    number: str,
    referral_id: UUID,
    caller: Annotated[Caller, Depends(may(Action.ISSUE_LINK))],
    key: Key = None,
) -> JSONResponse:
    """Issues a link and its code for one referral. Both are returned only once; an earlier link for it is revoked."""
    key = required_key(key)
    if not USER.fullmatch(caller.user):
        raise DeclinedError(
            "bad-user",
            f"{caller.user[:64]!r} is not a valid user name. Use 1 to 64 letters, digits and . _ @ -"
            " and begin with a letter or digit.",
        )
    links = TaskLinks(intake_of(request), face_of(request))
    issued = await links.issue(number, user=caller.user, key=key, referral_id=referral_id)
    return JSONResponse(issued_json(issued, base_of(request)), 201)


@router.get("/cases/{number}/links", summary="List the task links of a case")
async def list_links(
    request: Request, number: str, _: Annotated[Caller, Depends(may(Action.LIST_LINKS))]
) -> JSONResponse:
    """Returns the links of a case, newest first, with partner, expiry, openings and status; never the link itself."""
    links = TaskLinks(intake_of(request), face_of(request))
    found = await links.links.listed(await links.stream_of(number))
    return JSONResponse({"links": await listed(links, found)})


@router.delete("/cases/{number}/links/{link_id}", summary="Revoke a task link")
async def revoke_link(
    request: Request, number: str, link_id: UUID, _: Annotated[Caller, Depends(may(Action.REVOKE_LINK))]
) -> JSONResponse:
    """Revokes a link at once. Pages that are open with it can no longer be submitted."""
    links = TaskLinks(intake_of(request), face_of(request))
    known = {link.link_id for link in await links.links.listed(await links.stream_of(number))}
    if link_id not in known:
        raise ProblemError("not-found", f"This case has no link {link_id}.")
    return JSONResponse({"link_id": str(link_id), "revoked": await links.links.revoke(link_id)})


def base_of(request: Request) -> str:
    """Returns the base address of links."""
    settings = request.app.state.settings
    return settings.face.url or f"http://{settings.host}:{settings.port}"


def issued_json(issued: IssuedLink, base: str) -> dict[str, Any]:
    """Returns an issued link as JSON, for the user who issued it. Link and code must reach the partner separately."""
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
    """Returns links as JSON for staff, with the times at which each was opened."""
    openings = await links.links.openings([link.link_id for link in found])
    at = await now(links.intake.pool)
    return [link_json(link, openings[link.link_id], at) for link in found]


def link_json(link: TaskLink, opened: Sequence[datetime], at: datetime) -> dict[str, Any]:
    """Returns one link as JSON, with its status at that time."""
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
    """Returns ``open``, or the reason why the link cannot be opened any more."""
    if link.ended_by:
        return link.ended_by
    if link.tries >= NEWEST.in_force.task_link_tries:
        return "locked"
    return "expired" if link.expires_at <= at else "open"
