"""The gateway as one application: staff API, partner endpoint, and how both describe themselves."""

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

from gateway.api import fhir, files, quarantine, rehearsal, rules, schemas, sheets
from gateway.api import messages as commands
from gateway.api import partner_inbox as partners
from gateway.api import partner_ledger as accounts
from gateway.api import queries as reads
from gateway.api import task_links as link_api
from gateway.http import problems
from gateway.http.problems import ProblemMiddleware
from gateway.http.rate_limits import RATE, RateLimitMiddleware
from gateway.http.request_body import STAFF_BODY
from gateway.intake.service import open_intake
from gateway.pages import routes as pages
from gateway.public_address import PublicAddress
from store.content_store import FolderContentStore

ABOUT: Final = "Staff start and carry on cases, partners report what they did, everybody reads what happened and why."


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What the gateway needs. ``proxied``: a proxy in front signs people in and names them.

    ``partner_rate``: messages a second that each partner may send while others call too.
    ``face``: under which address and with which telephone line it appears outside.
    ``files`` is where files are kept; without it none can be attached or read.
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
    """An application behind limits and its busiest route, which are met before anything is spent on finding the way.

    Both are shielded as the application is: the framework has a last resort of its own, inside of this one.
    """

    def __init__(self, *, rate: float, **told: Any) -> None:
        super().__init__(**told)
        self._front = ProblemMiddleware(RateLimitMiddleware(partners.InboxFastPath(super().__call__), rate=rate))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self._front(scope, receive, send)


def create_app(settings: GatewaySettings) -> FastAPI:
    """The application; its connections are open while it lives."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_intake(settings.database_url, settings.master_key) as intake:
            app.state.intake = intake
            await intake.publish_key()
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
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=STAFF_BODY)  # for every route that sets no other
    problems.install(app)
    for router in (
        partners.router,  # first: routes are tried one after the other, and this is the one that is busy
        commands.router,
        reads.router,
        accounts.router,
        quarantine.router,
        rehearsal.router,
        fhir.router,
        link_api.router,
        pages.router,
        sheets.router,
        files.router,
        partners.open_router,
        schemas.router,
        rules.router,
        reads.open_router,
    ):
        app.include_router(router)
    return app
