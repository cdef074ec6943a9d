"""Evidence files over HTTP: uploaded as the body, encrypted while they arrive, and served as downloads only.

A file's name and note are in headers, never in the address, because access logs keep addresses.
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
from gateway.api.messages import Key, required_key
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
    """The description of a file, in headers."""

    name: Annotated[
        str, Header(alias="X-Awda-File-Name", description="The name of the file, percent-encoded UTF-8")
    ] = "file"
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


@router.post("/cases/{number}/files", summary="Attach a file to a case", status_code=202, openapi_extra=BODY)
async def attach_file(
    request: Request,
    number: str,
    caller: Annotated[Caller, Depends(may(Action.ATTACH_FILE))],
    labels: Annotated[FileLabels, Depends()],
    key: Key = None,
) -> JSONResponse:
    """Stores a file (PDF, JPEG, PNG, TIFF) and records it in a case: the same file once, whatever the key."""
    required_key(key)  # not used: the content identifies a file. But a form of another site cannot send this header
    case = await _case(request, number)
    attached = await store_upload(request, labels.about, holders=[case], cases=[case], user=caller.user)
    return JSONResponse(receipt_json(attached[0]), 202, {"Location": f"/api/v1/messages/{attached[0].message_id}"})


@router.get("/cases/{number}/files/{digest}", summary="Download a file of a case", response_class=StreamingResponse)
async def read_file(
    request: Request, number: str, digest: str, _: Annotated[Caller, Depends(may(Action.READ_FILE))]
) -> StreamingResponse:
    """Returns a file of a case as a download. The digest may be shortened to its first eight characters."""
    case = await _case(request, number)
    try:
        found = await evidence(intake_of(request), store_of(request), case, digest)
    except (EvidenceNotFoundError, FileNotStoredError) as error:
        raise ProblemError("not-found", str(error)) from None
    except KeyErasedError as error:
        raise ProblemError("erased", str(error)) from None
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.file_name, safe='')}",
        "Content-Length": str(found.opened.size),
        **SANDBOX,
    }
    return StreamingResponse(found.pieces(), media_type=found.media_type, headers=headers)


async def store_upload(
    request: Request, about: EvidenceDetails, *, holders: Sequence[UUID], cases: Sequence[UUID], user: str
) -> list[AttachmentReceipt]:
    """Stores the body of a request as a file of these cases. Nothing of it is kept unencrypted.

    Raises ``DeclinedError`` and ``ProblemError``.
    """
    store = store_of(request)
    upload = await begin(intake_of(request), about, holders)
    try:
        async for piece in request.stream():
            upload.feed(piece)
        return await upload.finish(store, cases, user, claimed=_claimed(request))
    except DeclinedError as error:
        if error.problem == "too-large":
            raise ProblemError("too-large", error.detail, headers={"Connection": "close"}) from None
        raise
    finally:
        upload.drop()


def _claimed(request: Request) -> str | None:
    """Returns the media type that the sender declared, if any."""
    declared = request.headers.get("content-type", "").split(";")[0].strip().lower()
    return declared if declared not in ("", "application/octet-stream") else None


def store_of(request: Request) -> ContentStore:
    """Returns the content store. Raises ``ProblemError`` if this gateway has none."""
    store: ContentStore | None = request.app.state.files
    if store is None:
        raise ProblemError("unavailable", "This gateway has no content store for files. Set AWDA_FILES and restart it.")
    return store


def receipt_json(attached: AttachmentReceipt) -> dict[str, Any]:
    return {
        "message_id": str(attached.message_id),
        "case_id": str(attached.stream_id),
        "status": attached.status,
        "repeated": attached.repeated,
    }


async def _case(request: Request, number: str) -> UUID:
    head = await by_number(intake_of(request).pool, number) if NUMBER.fullmatch(number) else None
    if head is None or head.kind != "case":
        raise ProblemError("not-found", f"There is no case {number[:64]!r}.")
    return head.stream_id
