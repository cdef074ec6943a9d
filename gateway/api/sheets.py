"""Sheets over HTTP: issue a sheet to a partner, submit the completed sheet, and attach its signed scan."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response

from domain.kernel.policy import NEWEST
from domain.referral.sheets import SHEETS, SheetKind
from gateway.api.files import BODY, receipt_json, store_upload
from gateway.api.messages import LONGEST_WAIT_S, Key, Prefer, required_key, seconds_of
from gateway.http.authorization import Action, Caller, may
from gateway.http.dependencies import intake_of
from gateway.http.problems import ProblemError
from gateway.http.request_body import read_body
from gateway.intake.evidence import EvidenceDetails
from gateway.intake.staff import NUMBER
from gateway.intake.validation import one_of
from gateway.sheets.collect import FINE, check, collect_sheet, counted, read_sheet, settled
from gateway.sheets.issue import SheetIssue, issue_sheet, registered
from gateway.sheets.rendering import MEDIA, WRITTEN, as_json
from gateway.sheets.translations import Language
from gateway.tabular.files import RowError, UnusableFileError
from store.partners import sheets
from store.partners.registry import RegisteredPartner, UnknownPartnerError

router = APIRouter(prefix="/api/v1", tags=["sheets"])

FILE_NAMES: Final = {
    "text/csv": "sheet.csv",
    "application/json": "sheet.json",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "sheet.xlsx",
}
"""Accepted media types, and the file name under which each is parsed."""

_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}

_LISTED: Final = {"schema": {"type": "array", "items": {"type": "object"}}}

SENT: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {kind: _LISTED if kind == "application/json" else _BINARY for kind in FILE_NAMES},
    }
}


@dataclass(frozen=True, slots=True)
class SheetOptions:
    """Format, language, flight and idempotency key of a requested sheet."""

    file_format: Annotated[Literal["json", "xlsx", "csv", "html"], Query(alias="format")] = "json"
    language: Annotated[Language, Query()] = "en"
    flight: Annotated[
        str | None, Query(pattern=f"^{NUMBER.pattern}$", description="Only people with a seat on this movement")
    ] = None
    key: Key = None


KINDS_OF_ANSWER: Final = ("application/json", *(media.partition(";")[0] for media in MEDIA.values()))


@router.post(
    "/partners/{partner_id}/sheets/{kind}",
    summary="Issue a sheet",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in KINDS_OF_ANSWER}}},
)
async def issue(
    request: Request,
    partner_id: str,
    kind: SheetKind,
    caller: Annotated[Caller, Depends(may(Action.HAND_OUT_SHEET))],
    options: Annotated[SheetOptions, Depends()],
) -> Response:
    """Issues a sheet with a partner's open referrals. It is recorded in every case it names before it is returned.

    The same key always returns the same sheet, whatever the format and language; so does another key on the same day.
    """
    try:
        found = await issue_sheet(
            intake_of(request), partner_id, kind, user=caller.user, language=options.language, movement=options.flight,
            seconds=LONGEST_WAIT_S, key=required_key(options.key),
        )  # fmt: skip
    except UnknownPartnerError as error:
        raise ProblemError("not-found", str(error)) from None
    return await _sheet_response(found, options.file_format)


async def _sheet_response(found: SheetIssue, file_format: str) -> Response:
    left_out = [{"number": each.number, "rule": each.rule} for each in found.left_out]
    if file_format == "json":
        return JSONResponse({**as_json(found.page), "left_out": left_out})
    body = await asyncio.to_thread(WRITTEN[file_format], found.page)
    headers = {
        "Content-Disposition": f'attachment; filename="{found.page.file_name}.{file_format}"',
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "X-Awda-Sheet": str(found.page.sheet.sheet_id),
        "X-Awda-Left-Out": str(len(left_out)),
    }
    return Response(body, media_type=MEDIA[file_format], headers=headers)


@router.post("/partners/{partner_id}/sheets", summary="Submit a completed sheet", openapi_extra=SENT)
async def submit_sheet(
    request: Request,
    partner_id: str,
    caller: Annotated[Caller, Depends(may(Action.BRING_IN_SHEET))],
    prefer: Prefer = None,
    dry_run: bool = False,  # noqa: FBT001, FBT002 (a query parameter)
) -> JSONResponse:
    """Submits a completed sheet. Each row is recorded once and has a result of its own; `dry_run` only checks it."""
    intake, partner = intake_of(request), await _partner(request, partner_id)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in FILE_NAMES:
        raise ProblemError("media-type", f"Send the sheet as {one_of(FILE_NAMES)}.")
    body = await read_body(request, NEWEST.in_force.sheet_bytes)
    try:
        listing = await asyncio.to_thread(read_sheet, FILE_NAMES[kind], body)
    except UnusableFileError as error:
        raise ProblemError("shape", str(error)) from None
    checked = await check(intake, partner, listing)
    summary: dict[str, Any] = {"partner_id": partner_id, "rows": checked.rows, "notes": list(checked.notes)}
    if dry_run:
        return JSONResponse({**summary, "would_hand_in": len(checked.ready), "bad": _row_errors(checked.bad)})
    results, failed = await collect_sheet(intake, checked, caller.user)
    results = await settled(intake, results, seconds_of(prefer))
    done = not (checked.bad or failed) and all(each.status in FINE for each in results)
    lines = [each.json() for each in sorted(results, key=lambda each: each.row)]
    return JSONResponse(
        {
            **summary,
            "done": done,
            "counts": counted(results),
            "lines": lines,
            "bad": _row_errors([*checked.bad, *failed]),
        }
    )


def _row_errors(found: list[RowError] | tuple[RowError, ...]) -> list[dict[str, Any]]:
    return [
        {"row": each.row, "column": each.column, "value": each.value, "problem": each.problem, "todo": each.todo}
        for each in found
    ]


@router.post(
    "/partners/{partner_id}/sheets/{sheet_id}/scan",
    summary="Attach the scan of a sheet",
    status_code=202,
    openapi_extra=BODY,
)
async def attach_scan(
    request: Request,
    partner_id: str,
    sheet_id: UUID,
    caller: Annotated[Caller, Depends(may(Action.BRING_IN_SHEET))],
    key: Key = None,
) -> JSONResponse:
    """Stores the scan of a completed sheet and records it in every case that was answered on it."""
    required_key(key)  # not used: the content identifies a file. But a form of another site cannot send this header
    intake = intake_of(request)
    sheet = await sheets.sheet(intake.pool, sheet_id)
    cases = await sheets.answered_on(intake.pool, sheet_id)
    if sheet is None or sheet.partner_id != partner_id or not cases:
        raise ProblemError("not-found", "This partner has no sheet with that id on which a case was answered.")
    holders = await sheets.cases_on(intake.pool, [sheet_id])
    about = EvidenceDetails(f"{sheet.kind}-scan", None, SHEETS[sheet.kind].compartment, sheet_id)
    attached = await store_upload(request, about, holders=holders, cases=cases, user=caller.user)
    return JSONResponse({"sheet_id": str(sheet_id), "cases": [receipt_json(each) for each in attached]}, 202)


async def _partner(request: Request, partner_id: str) -> RegisteredPartner:
    try:
        return await registered(intake_of(request), partner_id)
    except UnknownPartnerError as error:
        raise ProblemError("not-found", str(error)) from None
