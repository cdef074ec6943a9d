"""The gateway as one ASGI application: staff API, partner endpoint, pages, and their OpenAPI description."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import Receive, Scope, Send

from gateway.api import (
    fhir,
    files,
    messages,
    partner_inbox,
    partner_ledger,
    quarantine,
    queries,
    rehearsal,
    rules,
    schemas,
    sheets,
    task_links,
)
from gateway.http import problems
from gateway.http.problems import ProblemMiddleware
from gateway.http.rate_limits import RATE, RateLimitMiddleware
from gateway.http.request_body import STAFF_BODY
from gateway.intake.service import open_intake
from gateway.pages import routes as pages
from gateway.public_address import PublicAddress
from store.content_store import FolderContentStore

ABOUT: Final = (
    "Case management API of the Voluntary Humanitarian Return programme. Staff register cases and record actions on"
    " them; partner organisations report the results of referrals; both read the current state and the history. "
    "Errors are RFC 9457 problem documents."
)


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Settings of the gateway.

    ``proxied``: an authenticating proxy in front names the user. ``partner_rate``: messages per second that a partner
    may send while others call too. ``face``: public address and telephone line. ``files``: folder of the content store;
    without it no file can be attached or read.
    """

    database_url: str = field(repr=False)
    master_key: bytes = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 8600
    proxied: bool = False
    partner_rate: float = RATE
    face: PublicAddress = field(default_factory=PublicAddress)
    files: Path | None = None


class Application(FastAPI):
    """FastAPI application behind the rate limits and the inbox fast path, which run before routing.

    Both are wrapped in ``ProblemMiddleware`` too, because the one that FastAPI runs covers only what is inside of it.
    """

    def __init__(self, *, rate: float, **options: Any) -> None:
        super().__init__(**options)
        self._outer = ProblemMiddleware(RateLimitMiddleware(partner_inbox.InboxFastPath(super().__call__), rate=rate))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self._outer(scope, receive, send)


def create_app(settings: GatewaySettings) -> FastAPI:
    """Builds the application. Its database connections are open during its lifespan."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_intake(settings.database_url, settings.master_key) as intake:
            app.state.intake = intake
            await intake.partners.publish_key()
            yield

    app = Application(
        rate=settings.partner_rate,
        title="Awda",
        description=ABOUT,
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        responses={"default": problems.DESCRIBED},
    )
    app.state.settings = settings
    app.state.files = FolderContentStore(settings.files) if settings.files else None
    app.state.waiting = Counter()
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=STAFF_BODY)  # for routes without a limit of their own
    problems.install(app)
    for router in (
        partner_inbox.router,  # first, because routes are tried in order and this is the busiest
        messages.router,
        queries.router,
        partner_ledger.router,
        quarantine.router,
        rehearsal.router,
        fhir.router,
        task_links.router,
        pages.router,
        sheets.router,
        files.router,
        partner_inbox.open_router,
        schemas.router,
        rules.router,
        queries.open_router,
    ):
        app.include_router(router)
    return app
