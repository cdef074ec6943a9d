"""The two doors for people without an account: a partner's task link, and a request to be called.

Whatever is wrong with a link (unknown, used, run out, locked, or the code) is answered with the same page.
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
from gateway.pages.outcome_choices import PAPER_KINDS, PAPERS, STATEMENTS, TICKED, fitting
from gateway.pages.rate_limit import PageRateLimit
from gateway.pages.render import page, person
from gateway.pages.time_format import clock
from gateway.pages.translations import PageTexts, in_language
from gateway.partner_access.task_links import LinkAnswer, OpenedLink, PartnerTask, PrintedReceipt, TaskLinks
from gateway.public_address import PublicAddress
from store.partners.task_links import RedeemedLink, TaskLink
from store.postgres.clock import now
from store.postgres.database import UNANSWERED

log = logging.getLogger("awda.gateway")

BAD_FORM: Final = 400

UNOPENED: Final = 403

UNMENDED: Final = 422

FLOODED: Final = 429

GROUPS: Final = ("your_answer", "done", "not_yet", "always")

WHEN: Final = 500

ONCE: Final = re.compile("[0-9a-f]{32}")

FROM_ONE_ADDRESS, FROM_ALL, WITHIN_S = 10, 300, 600.0
"""So many requests to be called are taken in ten minutes, by each process of the gateway."""

_HINT: Final = re.compile(r"\s*\([^()]*\)$")


class PageRoute(APIRoute):
    """A route whose faults are pages too: whoever reads them has a browser, and perhaps a bad line."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handler(request)
            except ProblemError as no:
                log.info("a form was turned away: %s", no.slug)
                return _visit(request).notice("away", BAD_FORM)
            except UNANSWERED as fault:
                log.warning("answered 503: %s", type(fault).__name__)
                return _visit(request).notice("away", 503)

        return handled


router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class PageRequest:
    """One request for a page: in which language, with which form."""

    request: Request
    w: PageTexts
    form: FormData = field(default_factory=lambda: FormData({}))

    @property
    def face(self) -> PublicAddress:
        return face_of(self.request)

    @property
    def links(self) -> TaskLinks:
        return TaskLinks(intake_of(self.request), self.face)

    @property
    def switching(self) -> bool:
        """Whether only another language is wanted, with everything typed so far kept."""
        return bool(self.form.get("switch"))

    def page(self, template: str, title: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        return page(template, self.w, self.face, status=status, title=self.w.ui[title], **context)

    def filled(self, template: str, title: str, mends: Sequence[InvalidEntry], **context: Any) -> HTMLResponse:
        """A page with a form, as far as it was filled in, and what has to be mended in it."""
        status = UNMENDED if mends else 200
        return self.page(template, title, status=status, switch="switch", form=self.form, mends=mends, **context)

    def notice(self, heading: str, status: int) -> HTMLResponse:
        return self.page("notice", "request", status=status, heading=heading, lead=f"{heading}_lead")


def _visit(request: Request, form: FormData | None = None) -> PageRequest:
    """The language is the one asked for by the page, or by the address, or by the browser."""
    told = form or FormData({})
    asked = told.get("switch") or told.get("lang") or request.query_params.get("lang")
    return PageRequest(request, in_language(asked, request.headers.get("accept-language", "")), told)


def face_of(request: Request) -> PublicAddress:
    face: PublicAddress = request.app.state.settings.face
    return face


# A partner's task


@router.get("/p/{token}")
async def ask_for_code(request: Request, token: str) -> HTMLResponse:
    """The same page for every link there is and for every one there is not: nobody looks before a code is given."""
    return _visit(request).page("code", "request", unopened=False)


@router.post("/p/{token}")
async def open_or_answer(request: Request, token: str) -> HTMLResponse:
    """With a code: what the link shows. With a ticket from that page: the answer."""
    visit = _visit(request, await read_form(request))
    if ticket := visit.form.get("ticket"):
        held = await visit.links.held(ticket)
        return await _answered(visit, held) if held else visit.notice("not_taken", UNOPENED)
    opened = await visit.links.open(token, digits(visit.form.get("code")), visit.w.lang)
    if opened is None:
        return visit.page("code", "request", status=UNOPENED, unopened=True)
    return await _opened(visit, opened)


async def _opened(visit: PageRequest, opened: OpenedLink) -> HTMLResponse:
    if opened.showed == "call":
        told = visit.w.say("please_tell", name=opened.given_name or "")
        return visit.page("please_call", "please_call", please_tell=told, languages=())
    begun = PageRequest(visit.request, visit.w, FormData({"ticket": opened.ticket}))
    if opened.task is None:
        return _closed(begun, heading=opened.showed)
    return await _task(begun, opened.link, opened.task)


async def _answered(visit: PageRequest, held: RedeemedLink) -> HTMLResponse:
    kind, zone = await visit.links.kind_of(held), await visit.links.zone_of(held.link.partner_id)
    today = (await now(intake_of(visit.request).pool)).astimezone(zone).date()
    said = answer(visit.form, kind, today)
    if isinstance(said, LinkAnswer) and not visit.switching:
        return _receipt(visit, await visit.links.say(held, said), said)
    mends = [] if visit.switching or isinstance(said, LinkAnswer) else said
    task = await visit.links.again(held)
    return _closed(visit, mends) if task is None else await _task(visit, held.link, task, mends)


async def _task(
    visit: PageRequest, link: TaskLink, task: PartnerTask, mends: Sequence[InvalidEntry] = ()
) -> HTMLResponse:
    zone = await visit.links.zone_of(link.partner_id)
    offered = [*fitting(task.kind, task.status)]
    groups = {name: [each for each in offered if each.group == name] for name in GROUPS}
    return visit.filled(
        "task",
        "request",
        mends,
        task=task,
        due=clock(task.due, zone) if task.due else "",
        reference=link.reference,
        person=person(task.person, visit.w),
        groups={name: choices for name, choices in groups.items() if choices},
        papers=PAPERS.get(task.kind, ()),
        paper_kinds=PAPER_KINDS,
        ticked=TICKED.get(task.kind, ()),
    )


def _closed(visit: PageRequest, mends: Sequence[InvalidEntry] = (), *, heading: str = "ended") -> HTMLResponse:
    """Nothing about anybody; but what the person says, or what is feared for them, may still be told."""
    return visit.filled("closed", "request", mends, heading=heading, lead=f"{heading}_lead", choices=STATEMENTS)


def _receipt(visit: PageRequest, receipt: PrintedReceipt, said: LinkAnswer) -> HTMLResponse:
    link, w = receipt.link, visit.w
    return visit.page(
        "receipt",
        "receipt",
        switch="lang",
        number=receipt.number,
        utc=clock(receipt.received_at),
        local=clock(receipt.received_at, receipt.zone),
        reference=link.reference,
        said=_HINT.sub("", w.outcome[said.outcome] if said.outcome else w.ui[said.words]),
        more=_more(said, w),
        until="" if said.ends or link.ended_at else clock(link.expires_at, receipt.zone),
        repeated={name: value for name, value in visit.form.fields.items() if name not in ("lang", "switch")},
    )


def _more(said: LinkAnswer, w: PageTexts) -> list[tuple[str, str]]:
    told = {name: "✓" if value is True else str(value) for name, value in said.details.items()}
    found = [(w.field[name], w.value.get(value, value)) for name, value in told.items() if name in w.field]
    found += [(w.ui["day"], said.day.isoformat())] if said.day else []
    return found + ([(w.ui["note"], said.note)] if said.note else [])


# Somebody asks to be called


@router.get("/call")
async def ask_for_call(request: Request) -> HTMLResponse:
    """An open page: no account, and nothing is asked that a call does not need."""
    return _call(_visit(request))


@router.post("/call")
async def take_call(request: Request) -> HTMLResponse:
    """Take a request in, once, and say until when somebody calls."""
    visit = _visit(request, await read_form(request))
    fields = _contact(visit.form)
    mends = _unmended(fields, visit.w)
    if visit.switching or mends or not ONCE.fullmatch(visit.form.get("once")):
        return _call(visit, () if visit.switching else mends)
    if not _pace(request).allows(_address(request)):
        return visit.notice("too_many", FLOODED)
    try:
        taken = await request_call(intake_of(request), fields, key=visit.form.get("once"))
    except DeclinedError:
        return _call(visit, [InvalidEntry("text_long", "when")])
    return visit.page("called", "call", number=taken.number, due=clock(taken.due, LIBYA.zone))


def _call(visit: PageRequest, mends: Sequence[InvalidEntry] = ()) -> HTMLResponse:
    once = visit.form.get("once")
    return visit.filled("call", "call", mends, once=once if ONCE.fullmatch(once) else uuid4().hex)


def _contact(form: FormData) -> dict[str, Any]:
    told = {
        "phone": telephone(form.get("phone")),
        "language": form.get("language"),
        "channel": "PAGE",
        "given_name": form.get("given_name"),
        "note": form.get("when"),
    }
    return {name: value for name, value in told.items() if value}


def _unmended(fields: Mapping[str, Any], w: PageTexts) -> list[InvalidEntry]:
    found = [] if "phone" in fields else [InvalidEntry("phone_unclear", "phone")]
    if fields.get("language") not in w.language:
        found.append(InvalidEntry("language_unclear", "language"))
    limits = (("given_name", "given_name", SHORT), ("note", "when", WHEN))
    return found + [InvalidEntry("text_long", at) for name, at, most in limits if len(fields.get(name, "")) > most]


def _pace(request: Request) -> PageRateLimit:
    state = request.app.state
    if not hasattr(state, "calls_pace"):
        state.calls_pace = PageRateLimit(FROM_ONE_ADDRESS, FROM_ALL, WITHIN_S)
    pace: PageRateLimit = state.calls_pace
    return pace


def _address(request: Request) -> str:
    """Where a request comes from; behind a proxy, as the proxy saw it."""
    if request.app.state.settings.proxied:
        return request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()[:64]
    return request.client.host if request.client else ""
