"""Authentication and authorization of staff requests: the only place where both are decided.

In an embedded home the caller is the local operator, because only the owner of the machine's account can reach the
loopback port. Behind an authenticating proxy, the proxy names the user in a header. A browser would send either along
with a request from another site's page, so cross-site requests are rejected.
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

CROSS_SITE: Final = frozenset({"cross-site", "same-site"})
"""Values of Sec-Fetch-Site for pages of another site; another port of the same machine is ``same-site``."""


class Action(StrEnum):
    """What a caller can be authorized to do."""

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
    """The user behind a request. ``local``: the request came through the loopback port of an embedded home."""

    user: str
    local: bool


def authorise(caller: Caller, action: Action, subject: str | None) -> None:
    """Checks that the caller may do this to the case, movement or message named. Raises ``ProblemError`` otherwise."""
    if not caller.user:
        raise ProblemError("unknown-caller", f"Send the user's name in the header {USER_HEADER}.", action=action.value)


def may(action: Action) -> Callable[[Request], Caller]:
    """Returns the dependency of a route that requires this authorization and yields the caller."""

    def allowed(request: Request) -> Caller:
        caller = caller_of(request)
        subject = next(iter(request.path_params.values()), None)
        authorise(caller, action, subject)
        return caller

    allowed.action = action  # type: ignore[attr-defined]  # read by the test that every route has an authorization
    return allowed


def caller_of(request: Request) -> Caller:
    """Identifies the caller of a request. Raises ``ProblemError`` for a request from another site's page."""
    _reject_cross_site(request)
    named = request.headers.get(USER_HEADER, "")
    if request.app.state.settings.proxied:
        return Caller(named, local=False)
    if _host(request) not in LOOPBACK:
        # DNS rebinding: a page whose host name resolves to this machine must not act as the operator
        raise ProblemError(
            "misdirected",
            "This installation answers only under its loopback address, for example http://127.0.0.1:8600.",
        )
    return Caller(named or OPERATOR, local=True)


def _reject_cross_site(request: Request) -> None:
    """Rejects requests that a page of another site made a browser send.

    Browsers set these headers and no page can change them; programs send neither.
    """
    headers = request.headers
    origin = headers.get("origin")
    if headers.get("sec-fetch-site", "").lower() in CROSS_SITE or (
        origin is not None and not _own_origin(request, origin)
    ):
        raise ProblemError(
            "cross-site",
            "The request came from a page of another site. Use the pages of this installation, or a program.",
        )


def _own_origin(request: Request, origin: str) -> bool:
    """Returns whether the origin is this installation: the host that was requested, or its public address."""
    own = {request.headers.get("host", ""), urlsplit(request.app.state.settings.face.url).netloc} - {""}
    return origin.lower().partition("://")[2] in {name.lower() for name in own}


def _host(request: Request) -> str | None:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:
        return None
