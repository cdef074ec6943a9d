"""The gateway as one application: staff API, partner endpoint, and how both describe themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from gateway import commands, files, partners, problems, reads, sheets
from gateway.intake import open_desk
from store.files import Folder

ABOUT: Final = "Staff start and carry on cases, partners report what they did, everybody reads what happened and why."


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What the gateway needs. ``proxied``: a proxy in front signs people in and names them.

    ``files`` is where files are kept; without it none can be attached or read.
    """

    database_url: str = field(repr=False)
    master_key: bytes = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 8600
    proxied: bool = False
    files: Path | None = None


def create_app(settings: GatewaySettings) -> FastAPI:
    """The application; its connections are open while it lives."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_desk(settings.database_url, settings.master_key) as desk:
            app.state.desk = desk
            yield

    app = FastAPI(
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
    app.state.files = Folder(settings.files) if settings.files else None
    problems.install(app)
    for router in (commands.router, reads.router, partners.router, sheets.router, files.router, reads.open_router):
        app.include_router(router)
    return app
