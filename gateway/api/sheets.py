"""Sheets over HTTP: one out for a partner, one back filled in, and the scan of what was signed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response

from domain.kernel.policy import NEWEST
from domain.referral.sheets import SHEETS, SheetKind
from gateway.api.files import BODY, take_in, told_of
from gateway.api.messages import LONGEST_WAIT_S, Key, Prefer, required, seconds_of
from gateway.http.authorization import Action, Caller, may
from gateway.http.dependencies import intake_of
from gateway.http.problems import ProblemError
from gateway.http.request_body import limited
from gateway.intake.evidence import EvidenceDetails
from gateway.intake.staff import NUMBER
from gateway.sheets.collect import FINE, check, collect_sheet, counted, read_sheet, settled
from gateway.sheets.issue import SheetIssue, issue_sheet, registered
from gateway.sheets.rendering import MEDIA, WRITTEN, as_json
from gateway.sheets.translations import Language
from gateway.tabular.files import RowError, UnusableFileError
from store.partners import sheets
from store.partners.registry import RegisteredPartner, UnknownPartnerError

router = APIRouter(prefix="/api/v1", tags=["sheets"])

NAMED: Final = {
    "text/csv": "sheet.csv",
    "application/json": "sheet.json",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "sheet.xlsx",
}
"""What is taken in, and as what it is read."""

_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}

_LISTED: Final = {"schema": {"type": "array", "items": {"type": "object"}}}

SENT: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {kind: _LISTED if kind == "application/json" else _BINARY for kind in NAMED},
    }
}


@dataclass(frozen=True, slots=True)
class SheetOptions:
    """How a sheet is to be written, for which flight, and under which key it is asked for."""

    written: Annotated[Literal["json", "xlsx", "csv", "html"], Query(alias="format")] = "json"
    language: Annotated[Language, Query()] = "en"
    flight: Annotated[str | None, Query(pattern=f"^{NUMBER.pattern}$", description="Only who has a seat on it")] = None
    key: Key = None


KINDS_OF_ANSWER: Final = ("application/json", *(media.partition(";")[0] for media in MEDIA.values()))


@router.post(
    "/partners/{partner_id}/sheets/{kind}",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in KINDS_OF_ANSWER}}},
)
async def give_sheet(
    request: Request,
    partner_id: str,
    kind: SheetKind,
    caller: Annotated[Caller, Depends(may(Action.HAND_OUT_SHEET))],
    wanted: Annotated[SheetOptions, Depends()],
) -> Response:
    """Hand a sheet out: recorded in every case it names, then written.

    The same key gives the same sheet for ever, whatever the format and language; another one on the same day does too.
    """
    try:
        found = await issue_sheet(
            intake_of(request), partner_id, kind, user=caller.user, language=wanted.language, movement=wanted.flight,
            seconds=LONGEST_WAIT_S, key=required(wanted.key),
        )  # fmt: skip
    except UnknownPartnerError as unknown:
        raise ProblemError("not-found", str(unknown)) from None
    return await _written(found, wanted.written)


async def _written(found: SheetIssue, written: str) -> Response:
    left_out = [{"number": each.number, "rule": each.rule} for each in found.left_out]
    if written == "json":
        return JSONResponse({**as_json(found.page), "left_out": left_out})
    body = await asyncio.to_thread(WRITTEN[written], found.page)
    headers = {
        "Content-Disposition": f'attachment; filename="{found.page.file_name}.{written}"',
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "X-Awda-Sheet": str(found.page.sheet.sheet_id),
        "X-Awda-Left-Out": str(len(left_out)),
    }
    return Response(body, media_type=MEDIA[written], headers=headers)


@router.post("/partners/{partner_id}/sheets", openapi_extra=SENT)
async def take_sheet(
    request: Request,
    partner_id: str,
    caller: Annotated[Caller, Depends(may(Action.BRING_IN_SHEET))],
    prefer: Prefer = None,
    dry_run: bool = False,  # noqa: FBT001, FBT002 (a query parameter)
) -> JSONResponse:
    """Bring a sheet in that came back. Each row is a line of its own, taken once, with its own result."""
    intake, partner = intake_of(request), await _partner(request, partner_id)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in NAMED:
        raise ProblemError("media-type", f"a sheet comes as one of {', '.join(NAMED)}")
    body = await limited(request, NEWEST.in_force.sheet_bytes)
    try:
        listing = await asyncio.to_thread(read_sheet, NAMED[kind], body)
    except UnusableFileError as unusable:
        raise ProblemError("shape", str(unusable)) from None
    checked = await check(intake, partner, listing)
    told: dict[str, Any] = {"partner_id": partner_id, "rows": checked.rows, "notes": list(checked.notes)}
    if dry_run:
        return JSONResponse({**told, "would_hand_in": len(checked.ready), "bad": _bad(checked.bad)})
    brought, more = await collect_sheet(intake, checked, caller.user)
    brought = await settled(intake, brought, seconds_of(prefer))
    done = not (checked.bad or more) and all(each.status in FINE for each in brought)
    lines = [each.json() for each in sorted(brought, key=lambda each: each.row)]
    return JSONResponse(
        {**told, "done": done, "counts": counted(brought), "lines": lines, "bad": _bad([*checked.bad, *more])}
    )


def _bad(found: list[RowError] | tuple[RowError, ...]) -> list[dict[str, Any]]:
    return [
        {"row": each.row, "column": each.column, "value": each.value, "problem": each.problem, "todo": each.todo}
        for each in found
    ]


@router.post("/partners/{partner_id}/sheets/{sheet_id}/scan", status_code=202, openapi_extra=BODY)
async def take_scan(
    request: Request,
    partner_id: str,
    sheet_id: UUID,
    caller: Annotated[Caller, Depends(may(Action.BRING_IN_SHEET))],
    key: Key = None,
) -> JSONResponse:
    """Attach the scan of a sheet to every case about which something came back on it."""
    required(key)  # what it is known by is its content; but no form of another page can send this header
    intake = intake_of(request)
    sheet = await sheets.sheet(intake.pool, sheet_id)
    cases = await sheets.answered_on(intake.pool, sheet_id)
    if sheet is None or sheet.partner_id != partner_id or not cases:
        raise ProblemError("not-found", "nothing has come back on such a sheet of this partner")
    holders = await sheets.cases_on(intake.pool, [sheet_id])
    about = EvidenceDetails(f"{sheet.kind}-scan", None, SHEETS[sheet.kind].compartment, sheet_id)
    attached = await take_in(request, about, holders=holders, cases=cases, user=caller.user)
    return JSONResponse({"sheet_id": str(sheet_id), "cases": [told_of(each) for each in attached]}, 202)


async def _partner(request: Request, partner_id: str) -> RegisteredPartner:
    try:
        return await registered(intake_of(request), partner_id)
    except UnknownPartnerError as unknown:
        raise ProblemError("not-found", str(unknown)) from None
