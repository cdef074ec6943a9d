"""Files of cases over HTTP: sent as they are, sealed while they come in, and given back as something to keep, not show.

What a file is called and what is said of it stands in headers, never in the address: access logs keep addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import quote, unquote
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import JSONResponse, StreamingResponse

from domain.kernel.policy import NEWEST
from gateway.api.messages import Key, required
from gateway.http.authorization import Action, Caller, may
from gateway.http.dependencies import intake_of
from gateway.http.problems import ProblemError
from gateway.intake.evidence import AttachmentReceipt, EvidenceDetails, EvidenceNotFoundError, begin, evidence
from gateway.intake.staff import NUMBER
from gateway.intake.submission import DeclinedError
from store.content_store import ContentStore, FileNotStoredError
from store.log.mapper import KeyErasedError
from store.log.streams import by_number

router = APIRouter(prefix="/api/v1", tags=["files"])


@dataclass(frozen=True, slots=True)
class FileLabels:
    """What is said of a file, beside it."""

    name: Annotated[str, Header(alias="X-Awda-File-Name", description="What it is called, percent-encoded UTF-8")] = (
        "file"
    )
    note: Annotated[str | None, Header(alias="X-Awda-Note", description="A note, percent-encoded UTF-8")] = None
    compartment: Annotated[str, Header(alias="X-Awda-Compartment", pattern="^(GEN|MED|PROT)$")] = "GEN"

    @property
    def about(self) -> EvidenceDetails:
        return EvidenceDetails(unquote(self.name), unquote(self.note) if self.note else None, self.compartment)


BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in NEWEST.in_force.evidence_types
        },
    }
}

SANDBOX: Final = {"Content-Security-Policy": "default-src 'none'; sandbox"}


@router.post("/cases/{number}/files", status_code=202, openapi_extra=BODY)
async def attach_file(
    request: Request,
    number: str,
    caller: Annotated[Caller, Depends(may(Action.ATTACH_FILE))],
    labels: Annotated[FileLabels, Depends()],
    key: Key = None,
) -> JSONResponse:
    """Attach a file to a case. The same file again is the same file, under whatever key."""
    required(key)  # what it is known by is its content; but no form of another page can send this header
    case = await _case(request, number)
    attached = await take_in(request, labels.about, holders=[case], cases=[case], user=caller.user)
    return JSONResponse(told_of(attached[0]), 202, {"Location": f"/api/v1/messages/{attached[0].message_id}"})


@router.get("/cases/{number}/files/{digest}", response_class=StreamingResponse)
async def read_file(
    request: Request, number: str, digest: str, _: Annotated[Caller, Depends(may(Action.READ_FILE))]
) -> StreamingResponse:
    """A file of a case, to be saved."""
    case = await _case(request, number)
    try:
        found = await evidence(intake_of(request), store_of(request), case, digest)
    except (EvidenceNotFoundError, FileNotStoredError) as missing:
        raise ProblemError("not-found", str(missing)) from None
    except KeyErasedError as erased:
        raise ProblemError("erased", str(erased)) from None
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.file_name, safe='')}",
        "Content-Length": str(found.opened.size),
        **SANDBOX,
    }
    return StreamingResponse(found.pieces(), media_type=found.media_type, headers=headers)


async def take_in(
    request: Request, about: EvidenceDetails, *, holders: Sequence[UUID], cases: Sequence[UUID], user: str
) -> list[AttachmentReceipt]:
    """The body of a request as a file.

    Nothing of it is kept open anywhere. Raises ``DeclinedError`` and ``ProblemError``.
    """
    store = store_of(request)
    taking = await begin(intake_of(request), about, holders)
    try:
        async for piece in request.stream():
            taking.feed(piece)
        return await taking.finish(store, cases, user, claimed=_claimed(request))
    except DeclinedError as no:
        if no.problem == "too-large":
            raise ProblemError("too-large", no.detail, headers={"Connection": "close"}) from None
        raise
    finally:
        taking.drop()


def _claimed(request: Request) -> str | None:
    """What its sender says it is, if anything."""
    said = request.headers.get("content-type", "").split(";")[0].strip().lower()
    return said if said not in ("", "application/octet-stream") else None


def store_of(request: Request) -> ContentStore:
    store: ContentStore | None = request.app.state.files
    if store is None:
        raise ProblemError("unavailable", "this gateway keeps no files: set AWDA_FILES")
    return store


def told_of(attached: AttachmentReceipt) -> dict[str, Any]:
    return {
        "message_id": str(attached.message_id),
        "case_id": str(attached.stream_id),
        "status": attached.status,
        "repeated": attached.repeated,
    }


async def _case(request: Request, number: str) -> UUID:
    head = await by_number(intake_of(request).pool, number) if NUMBER.fullmatch(number) else None
    if head is None or head.kind != "case":
        raise ProblemError("not-found", f"there is no case {number[:64]!r}")
    return head.stream_id
