"""A minimal endpoint for comparison: the same server and framework; each request inserts one row.

``python -m bench.bare PORT DSN``
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import uuid4

import uvicorn
import uvloop
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from store.postgres.database import open_pool

TABLE: Final = """
CREATE TABLE IF NOT EXISTS bare_inbox (id uuid PRIMARY KEY, partner text NOT NULL, body bytea NOT NULL);
GRANT INSERT ON bare_inbox TO awda_app;
"""

INSERT: Final = "INSERT INTO bare_inbox VALUES ($1, $2, $3)"


def create_app(dsn: str) -> FastAPI:
    """Returns an application with one route that inserts one row."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with await open_pool(dsn) as pool:
            app.state.pool = pool
            yield

    app = FastAPI(docs_url=None, redoc_url=None, lifespan=lifespan)

    @app.post("/api/v1/inbox/{partner_id}", status_code=202)
    async def receive(request: Request, partner_id: str) -> JSONResponse:
        receipt = uuid4()
        await request.app.state.pool.execute(INSERT, receipt, partner_id, await request.body())
        return JSONResponse({"receipt": str(receipt), "status": "received"}, 202)

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    return app


def main(port: int, dsn: str) -> None:
    config = uvicorn.Config(create_app(dsn), port=port, access_log=False, log_config=None, server_header=False)
    uvloop.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
