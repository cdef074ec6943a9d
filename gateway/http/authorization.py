"""Who asks, and whether they may: the one place where both are settled.

In an embedded home the caller is the local operator: whoever can reach the loopback port owns the machine's account.
Behind a proxy that signs people in, the proxy says who they are. A browser brings both along to whatever page it shows:
so what another site's page asks for is not asked by anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request

from gateway.http.problems import ProblemError

OPERATOR: Final = "operator"

USER_HEADER: Final = "X-Awda-User"

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

ELSEWHERE: Final = frozenset({"cross-site", "same-site"})
"""What a browser calls pages that are not ours, another port of the same machine among them."""


class Action(StrEnum):
    """What can be asked for."""

    START_CASE = "START_CASE"
    SEND_TO_CASE = "SEND_TO_CASE"
    PLAN_MOVEMENT = "PLAN_MOVEMENT"
    SEND_TO_MOVEMENT = "SEND_TO_MOVEMENT"
    LIST_CASES = "LIST_CASES"
    READ_CASE = "READ_CASE"
    READ_MOVEMENT = "READ_MOVEMENT"
    READ_MESSAGE = "READ_MESSAGE"
    READ_DIGEST = "READ_DIGEST"
    READ_ACCOUNTS = "READ_ACCOUNTS"
    READ_QUARANTINE = "READ_QUARANTINE"
    RESOLVE_QUARANTINE = "RESOLVE_QUARANTINE"
    ISSUE_LINK = "ISSUE_LINK"
    LIST_LINKS = "LIST_LINKS"
    REVOKE_LINK = "REVOKE_LINK"
    HAND_OUT_SHEET = "HAND_OUT_SHEET"
    BRING_IN_SHEET = "BRING_IN_SHEET"
    ATTACH_FILE = "ATTACH_FILE"
    READ_FILE = "READ_FILE"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks. ``local``: through the loopback port of an embedded home."""

    user: str
    local: bool


def authorise(caller: Caller, action: Action, subject: str | None) -> None:
    """Let the caller do this to the case, movement or message named, or raise ``ProblemError``."""
    if not caller.user:
        raise ProblemError("unknown-caller", f"name the user in {USER_HEADER}", action=action.value)


def may(action: Action) -> Callable[[Request], Caller]:
    """What a route depends on: the caller, allowed to do this."""

    def allowed(request: Request) -> Caller:
        caller = caller_of(request)
        subject = next(iter(request.path_params.values()), None)
        authorise(caller, action, subject)
        return caller

    allowed.action = action  # type: ignore[attr-defined]  # read by whoever checks that every route asks
    return allowed


def caller_of(request: Request) -> Caller:
    """Who asks, as far as this door can know. Raises ``ProblemError`` for a page of another site."""
    _insist_on_nobody_elses_page(request)
    named = request.headers.get(USER_HEADER, "")
    if request.app.state.settings.proxied:
        return Caller(named, local=False)
    if _host(request) not in LOOPBACK:
        # a page of the outside world that had its own name point here must not act as the operator
        raise ProblemError("misdirected", "this home answers to its loopback address only")
    return Caller(named or OPERATOR, local=True)


def _insist_on_nobody_elses_page(request: Request) -> None:
    """Programs send neither header; a browser sends them by itself, and no page can change them."""
    told = request.headers
    origin = told.get("origin")
    if told.get("sec-fetch-site", "").lower() in ELSEWHERE or (origin is not None and not _ours(request, origin)):
        raise ProblemError("cross-site", "a page of another site asked for this; ask from here, or with a program")


def _ours(request: Request, origin: str) -> bool:
    """Whether pages from there are our own: they bear the name that was called, or that we are known by outside."""
    own = {request.headers.get("host", ""), urlsplit(request.app.state.settings.face.url).netloc} - {""}
    return origin.lower().partition("://")[2] in {name.lower() for name in own}


def _host(request: Request) -> str | None:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:
        return None
