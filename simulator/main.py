"""The stand-in partners as a process of their own: ``python -m simulator.main --port P --partners FILE [--live]``.

It knows what was delivered to it, its partners' secrets and where the gateway is; nothing else. In a demo its clock
is told (``POST /tick``); with ``--live`` it answers by itself, a few seconds after it was asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2
import uvicorn
from fastapi import FastAPI, Request, Response

from simulator.partners import Answer, Partners
from store.signing import sign, verified

log = logging.getLogger("awda.simulator")

LIVE_LOOK_S: Final = 1.0
CLOUD_EVENT: Final = "application/cloudevents+json"


class NotTaken(Exception):
    """The gateway did not take a signal. It stays on the agenda."""


@dataclass
class Desk:
    """Receives for all partners and sends what they have to say, one after the other."""

    partners: Partners
    secrets: Mapping[str, str] = field(repr=False)
    gateway: str
    http: httpx2.AsyncClient = field(default_factory=lambda: httpx2.AsyncClient(timeout=30.0, trust_env=False))
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def receive(self, partner_id: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
        """Whether it was signed with the secret this partner shares with the programme."""
        secret = self.secrets.get(partner_id)
        if secret is None or not verified((secret,), headers, body, time.time()):
            return False
        self.partners.receive(partner_id, json.loads(body), now)
        return True

    async def tick(self, now: datetime) -> dict[str, Any]:
        """Say everything that is due by now, and tell when there is more."""
        async with self.turn:
            ready = self.partners.due(now)
            try:
                sent = 0
                for answer in ready:
                    for _ in range(answer.times):
                        await self._send(answer)
                    sent += 1
            finally:
                self.partners.agenda += ready[sent:]
            return {"sent": sent, "next_at": _text(self.partners.next_at)}

    async def _send(self, answer: Answer) -> None:
        partner_id, event = answer.asked.partner_id, answer.event()
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {**sign(self.secrets[partner_id], event["id"], int(time.time()), body), "content-type": CLOUD_EVENT}
        told = await self.http.post(f"{self.gateway}/api/v1/inbox/{partner_id}", content=body, headers=headers)
        if told.status_code != httpx2.codes.ACCEPTED:
            raise NotTaken(f"the gateway answered {told.status_code} to {partner_id}: see its log")

    async def live(self) -> None:
        """Answer by the real clock until cancelled. A gateway that is away is asked again."""
        while True:
            try:
                await self.tick(datetime.now(UTC))
            except (httpx2.HTTPError, NotTaken) as fault:
                log.warning("signals wait for the gateway (%s)", type(fault).__name__)
            await asyncio.sleep(LIVE_LOOK_S)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def create_app(desk: Desk) -> FastAPI:
    """The partners' receivers and, for a demo, the hand that moves their clock."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        alive = asyncio.create_task(desk.live()) if desk.partners.live else None
        yield
        if alive:
            alive.cancel()
            with suppress(asyncio.CancelledError):
                await alive
        await desk.http.aclose()

    app = FastAPI(title="Stand-in partners", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

    @app.post("/receive/{partner_id}")
    async def receive(partner_id: str, request: Request) -> Response:
        taken = desk.receive(partner_id, request.headers, await request.body(), datetime.now(UTC))
        return Response(status_code=204 if taken else 401)

    @app.post("/tick")
    async def tick(request: Request) -> dict[str, Any]:
        return await desk.tick(datetime.fromisoformat((await request.json())["now"]))

    @app.get("/agenda")
    async def agenda() -> dict[str, Any]:
        return {"waiting": len(desk.partners.agenda), "next_at": _text(desk.partners.next_at)}

    return app


def secrets_in(file: Path) -> dict[str, str]:
    """The partners' copies of their secrets, by partner."""
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _arguments(given: list[str]) -> argparse.Namespace:
    host, port = os.environ.get("AWDA_HOST", "127.0.0.1"), os.environ.get("AWDA_PORT", "8600")
    parser = argparse.ArgumentParser(prog="python -m simulator.main", description="Stand-in partners.")
    parser.add_argument("--port", type=int, required=True, help="where the partners listen, on this machine only")
    parser.add_argument("--partners", type=Path, required=True, help="JSON file: secret by partner")
    parser.add_argument("--gateway", default=f"http://{host}:{port}", help="where they answer to")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--live", action="store_true", help="answer by the real clock")
    return parser.parse_args(given)


def main(given: list[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    asked = _arguments(given)
    desk = Desk(Partners(asked.seed, asked.live), secrets_in(asked.partners), asked.gateway)
    uvicorn.run(create_app(desk), host="127.0.0.1", port=asked.port, log_level="warning", access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
