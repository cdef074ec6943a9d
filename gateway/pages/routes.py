"""The page routes for people without an account: a partner's task link, and a request for a call.

Every link that cannot be opened gets the same response, so that nothing is revealed: whether it is unknown, used,
expired or locked, or the code is wrong.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from domain.kernel.working_time import LIBYA
from gateway.http.dependencies import intake_of
from gateway.http.problems import ProblemError
from gateway.intake.call_requests import request_call
from gateway.intake.submission import DeclinedError
from gateway.pages.forms import SHORT, FormData, InvalidEntry, answer, digits, read_form, telephone
from gateway.pages.outcome_choices import CHECKBOXES, DOCUMENT_FIELDS, DOCUMENT_KINDS, STATEMENTS, fitting
from gateway.pages.rate_limit import PageRateLimit
from gateway.pages.render import page, person
from gateway.pages.time_format import clock
from gateway.pages.translations import CALL_LANGUAGES, PageTexts, in_language
from gateway.partner_access.task_links import LinkAnswer, OpenedLink, PartnerTask, PrintedReceipt, TaskLinks
from gateway.public_address import PublicAddress
from store.partners.task_links import RedeemedLink, TaskLink
from store.postgres.clock import now
from store.postgres.database import UNANSWERED

log = logging.getLogger("awda.gateway")

BAD_FORM: Final = 400

NOT_OPENED: Final = 403

INVALID: Final = 422

TOO_MANY: Final = 429

GROUPS: Final = ("your_answer", "done", "not_yet", "always")

WHEN: Final = 500

ONCE: Final = re.compile("[0-9a-f]{32}")

FROM_ONE_ADDRESS, FROM_ALL, WITHIN_S = 10, 300, 600.0
"""The most call requests in ten minutes, from one address and from all, for each gateway process."""

_HINT: Final = re.compile(r"\s*\([^()]*\)$")


class PageRoute(APIRoute):
    """A route whose errors are pages too, because its users have a browser."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handler(request)
            except ProblemError as error:
                log.info("a form was rejected: %s", error.slug)
                return _page_request(request).notice("unavailable", BAD_FORM)
            except UNANSWERED as fault:
                log.warning("answered 503: %s", type(fault).__name__)
                return _page_request(request).notice("unavailable", 503)

        return handled


router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class PageRequest:
    """One request for a page, with the texts of its language and its form."""

    request: Request
    texts: PageTexts
    form: FormData = field(default_factory=lambda: FormData({}))

    @property
    def face(self) -> PublicAddress:
        return face_of(self.request)

    @property
    def links(self) -> TaskLinks:
        return TaskLinks(intake_of(self.request), self.face)

    @property
    def changes_language(self) -> bool:
        """Whether the request only changes the language. What was entered so far is kept."""
        return bool(self.form.get("switch"))

    def page(self, template: str, title: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        return page(template, self.texts, self.face, status=status, title=self.texts.ui[title], **context)

    def form_page(self, template: str, title: str, errors: Sequence[InvalidEntry], **context: Any) -> HTMLResponse:
        """Returns a page with a form, with what was entered so far and its errors."""
        status = INVALID if errors else 200
        return self.page(template, title, status=status, switch="switch", form=self.form, errors=errors, **context)

    def notice(self, heading: str, status: int) -> HTMLResponse:
        return self.page("notice", "request", status=status, heading=heading, lead=f"{heading}_lead")


def _page_request(request: Request, form: FormData | None = None) -> PageRequest:
    """Returns the request with its language: from the form, else from the address, else from the browser."""
    fields = form or FormData({})
    requested = fields.get("switch") or fields.get("lang") or request.query_params.get("lang")
    return PageRequest(request, in_language(requested, request.headers.get("accept-language", "")), fields)


def face_of(request: Request) -> PublicAddress:
    """Returns the public address and the telephone line of this installation."""
    face: PublicAddress = request.app.state.settings.face
    return face


# Task links


@router.get("/p/{token}")
async def ask_for_code(request: Request, token: str) -> HTMLResponse:
    """Shows the page for the code. It is the same for every token, known or not: nothing is looked up before a code."""
    return _page_request(request).page("code", "request", failed=False)


@router.post("/p/{token}")
async def open_or_answer(request: Request, token: str) -> HTMLResponse:
    """Opens the link with a code, or submits the answer with the ticket of the opened page."""
    page_request = _page_request(request, await read_form(request))
    if ticket := page_request.form.get("ticket"):
        redeemed = await page_request.links.redeemed(ticket)
        return await _answered(page_request, redeemed) if redeemed else page_request.notice("expired_page", NOT_OPENED)
    opened = await page_request.links.open(token, digits(page_request.form.get("code")), page_request.texts.lang)
    if opened is None:
        return page_request.page("code", "request", status=NOT_OPENED, failed=True)
    return await _opened(page_request, opened)


async def _opened(page_request: PageRequest, opened: OpenedLink) -> HTMLResponse:
    if opened.showed == "call":
        sentence = page_request.texts.format("please_tell", name=opened.given_name or "")
        return page_request.page("please_call", "please_call", please_tell=sentence, languages=())
    with_ticket = PageRequest(page_request.request, page_request.texts, FormData({"ticket": opened.ticket}))
    if opened.task is None:
        return _closed(with_ticket, heading=opened.showed)
    return await _task(with_ticket, opened.link, opened.task)


async def _answered(page_request: PageRequest, redeemed: RedeemedLink) -> HTMLResponse:
    kind, zone = await page_request.links.kind_of(redeemed), await page_request.links.zone_of(redeemed.link.partner_id)
    today = (await now(intake_of(page_request.request).pool)).astimezone(zone).date()
    found = answer(page_request.form, kind, today)
    if isinstance(found, LinkAnswer) and not page_request.changes_language:
        return _receipt(page_request, await page_request.links.submit(redeemed, found), found)
    errors = [] if page_request.changes_language or isinstance(found, LinkAnswer) else found
    task = await page_request.links.current_task(redeemed)
    return _closed(page_request, errors) if task is None else await _task(page_request, redeemed.link, task, errors)


async def _task(
    page_request: PageRequest, link: TaskLink, task: PartnerTask, errors: Sequence[InvalidEntry] = ()
) -> HTMLResponse:
    zone = await page_request.links.zone_of(link.partner_id)
    offered = [*fitting(task.kind, task.status)]
    groups = {name: [each for each in offered if each.group == name] for name in GROUPS}
    return page_request.form_page(
        "task",
        "request",
        errors,
        task=task,
        due=clock(task.due, zone) if task.due else "",
        reference=link.reference,
        person=person(task.person, page_request.texts),
        groups={name: choices for name, choices in groups.items() if choices},
        document_fields=DOCUMENT_FIELDS.get(task.kind, ()),
        document_kinds=DOCUMENT_KINDS,
        checkboxes=CHECKBOXES.get(task.kind, ()),
    )


def _closed(page_request: PageRequest, errors: Sequence[InvalidEntry] = (), *, heading: str = "ended") -> HTMLResponse:
    """Shows no personal data. A withdrawal or a concern can still be reported."""
    return page_request.form_page(
        "closed", "request", errors, heading=heading, lead=f"{heading}_lead", choices=STATEMENTS
    )


def _receipt(page_request: PageRequest, receipt: PrintedReceipt, given: LinkAnswer) -> HTMLResponse:
    link, texts = receipt.link, page_request.texts
    return page_request.page(
        "receipt",
        "receipt",
        switch="lang",
        number=receipt.number,
        utc=clock(receipt.received_at),
        local=clock(receipt.received_at, receipt.zone),
        reference=link.reference,
        response=_HINT.sub("", texts.outcome[given.outcome] if given.outcome else texts.ui[given.text_key]),
        details=_details(given, texts),
        until="" if given.ends or link.ended_at else clock(link.expires_at, receipt.zone),
        repeated={name: value for name, value in page_request.form.fields.items() if name not in ("lang", "switch")},
    )


def _details(given: LinkAnswer, texts: PageTexts) -> list[tuple[str, str]]:
    values = {name: "✓" if value is True else str(value) for name, value in given.details.items()}
    found = [
        (texts.field[name], texts.value.get(value, value)) for name, value in values.items() if name in texts.field
    ]
    found += [(texts.ui["day"], given.day.isoformat())] if given.day else []
    return found + ([(texts.ui["note"], given.note)] if given.note else [])


# Call requests


@router.get("/call")
async def ask_for_call(request: Request) -> HTMLResponse:
    """Shows the form for a call request. It needs no account, and asks only for what a call needs."""
    return _call(_page_request(request))


@router.post("/call")
async def take_call(request: Request) -> HTMLResponse:
    """Accepts a call request once, and shows by when IOM will call."""
    page_request = _page_request(request, await read_form(request))
    fields = _contact(page_request.form)
    errors = _errors(fields)
    if page_request.changes_language or errors or not ONCE.fullmatch(page_request.form.get("once")):
        return _call(page_request, () if page_request.changes_language else errors)
    if not _rate_limit(request).allows(_address(request)):
        return page_request.notice("too_many", TOO_MANY)
    try:
        accepted = await request_call(intake_of(request), fields, key=page_request.form.get("once"))
    except DeclinedError:
        return _call(page_request, [InvalidEntry("when_long", "when")])
    return page_request.page("called", "call", number=accepted.number, due=clock(accepted.due, LIBYA.zone))


def _call(page_request: PageRequest, errors: Sequence[InvalidEntry] = ()) -> HTMLResponse:
    once = page_request.form.get("once")
    once = once if ONCE.fullmatch(once) else uuid4().hex
    return page_request.form_page("call", "call", errors, once=once, call_languages=CALL_LANGUAGES)


def _contact(form: FormData) -> dict[str, Any]:
    fields = {
        "phone": telephone(form.get("phone")),
        "language": form.get("language"),
        "channel": "PAGE",
        "given_name": form.get("given_name"),
        "note": form.get("when"),
    }
    return {name: value for name, value in fields.items() if value}


def _errors(fields: Mapping[str, Any]) -> list[InvalidEntry]:
    errors = [] if "phone" in fields else [InvalidEntry("phone_unclear", "phone")]
    if fields.get("language") not in CALL_LANGUAGES:
        errors.append(InvalidEntry("language_unclear", "language"))
    if len(fields.get("given_name", "")) > SHORT:
        errors.append(InvalidEntry("name_long", "given_name"))
    if len(fields.get("note", "")) > WHEN:
        errors.append(InvalidEntry("when_long", "when"))
    return errors


def _rate_limit(request: Request) -> PageRateLimit:
    state = request.app.state
    if not hasattr(state, "call_rate_limit"):
        state.call_rate_limit = PageRateLimit(FROM_ONE_ADDRESS, FROM_ALL, WITHIN_S)
    limit: PageRateLimit = state.call_rate_limit
    return limit


def _address(request: Request) -> str:
    """Returns the client's address; behind a proxy, as the proxy reports it."""
    if request.app.state.settings.proxied:
        return request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()[:64]
    return request.client.host if request.client else ""
