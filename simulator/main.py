"""The process of the simulated partners: ``python -m simulator.main --port P --partners FILE [--live]``.

It knows only what was delivered to it, its partners' secrets and the address of the gateway. FILE lists the
organisations that it simulates. In a demonstration it acts when ``POST /tick`` gives it the time; with ``--live`` it
responds automatically a few seconds after each delivery, and repeats signals that were not acknowledged.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from domain.kernel.vocabulary import ReferralKind
from simulator.behaviours import ORDINARY, PROFILES, behaviour_profile
from simulator.partner_client import SendResult, SignalLog, SignalNotAcceptedError, SignalSender
from simulator.partners import LIVE_PAUSE, PlannedSignal, SimulatedPartners, UnknownRequestError
from store.crypto.webhook_signatures import verified

log = logging.getLogger("awda.simulator")

LIVE_LOOK_S: Final = 0.5


@dataclass
class PartnerServer:
    """Receives deliveries for the simulated partners, and sends their signals.

    ``every_s``: the pause between two signals of a live process (seconds). It sends nothing until ``speaks`` is set.
    """

    partners: SimulatedPartners
    sender: SignalSender
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    sent: list[PlannedSignal] = field(default_factory=list)
    every_s: float = 0.0
    speaks: asyncio.Event = field(default_factory=asyncio.Event)
    queue: deque[PlannedSignal] = field(default_factory=deque)
    sending: set[asyncio.Task[None]] = field(default_factory=set)

    def receive(self, partner_id: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
        """Accepts a delivery. Returns whether it was signed with the secret that the partner shares with Awda."""
        secret = self.sender.secrets.get(partner_id)
        if secret is None or not verified((secret,), headers, body, time.time()):
            return False
        self.partners.receive(partner_id, json.loads(body), now)
        return True

    async def tick(self, now: datetime) -> dict[str, Any]:
        """Sends everything that is due by now, in order, and returns when the next signal is due.

        Raises ``SignalNotAcceptedError``.
        """
        async with self.lock:
            ready, sent = self.partners.due(now), 0
            try:
                for signal in ready:
                    await self.send(signal)
                    sent += 1
            finally:
                self.partners.put_back(ready[sent:])
            return {"sent": sent, "next_at": _iso(self.partners.next_at)}

    async def send(self, signal: PlannedSignal) -> list[SendResult]:
        """Sends a signal once, or as often as the partner duplicates it. Raises ``SignalNotAcceptedError``."""
        results = []
        for _ in range(signal.copies):
            results.append(await self.sender.once(signal.referral.partner_id, signal.event(), self._ahead_s(signal)))
            if not results[-1].taken:
                raise SignalNotAcceptedError(
                    f"the gateway responded {results[-1].status} to {signal.referral.partner_id}; see the gateway's log"
                )
        self.sent.append(signal)
        return results

    async def repeat(self, partner_id: str) -> list[SendResult]:
        """Sends every earlier signal of a partner again under the same ids."""
        return [
            await self.sender.once(partner_id, signal.event(), self._ahead_s(signal))
            for signal in self.sent
            if signal.referral.partner_id == partner_id
        ]

    def _ahead_s(self, signal: PlannedSignal) -> float:
        return self.partners.of(signal.referral.partner_id).profile.signing_clock.total_seconds()

    async def live(self) -> None:
        """Sends signals by the real clock until cancelled, once ``speaks`` is set."""
        await self.speaks.wait()
        while True:
            self.queue.extend(self.partners.due(datetime.now(UTC)))
            while self.queue:
                self._start(self._send_until_taken(self.queue.popleft()))
                await asyncio.sleep(self.every_s)
            await asyncio.sleep(LIVE_LOOK_S)

    @property
    def waiting(self) -> int:
        """Returns how many signals have not been acknowledged yet."""
        return len(self.partners.agenda) + len(self.queue) + len(self.sending)

    async def _send_until_taken(self, signal: PlannedSignal) -> None:
        for _ in range(signal.copies):
            await self.sender.until_taken(signal.referral.partner_id, signal.event(), self._ahead_s(signal))
        self.sent.append(signal)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.sending.add(task)
        task.add_done_callback(self.sending.discard)

    async def close(self) -> None:
        for task in self.sending:
            task.cancel()
        await asyncio.gather(*self.sending, return_exceptions=True)
        await self.sender.http.aclose()


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


# The HTTP routes


def create_app(server: PartnerServer) -> Starlette:
    """Returns the app: the partners' receivers, and the routes by which a demonstration or a test controls them."""

    async def receive(request: Request) -> Response:
        body = await request.body()
        accepted = server.receive(request.path_params["partner_id"], request.headers, body, datetime.now(UTC))
        return Response(status_code=204 if accepted else 401)

    async def tick(request: Request) -> Response:
        return JSONResponse(await server.tick(datetime.fromisoformat((await request.json())["now"])))

    async def say(request: Request) -> Response:
        body = await request.json()
        partner, now = server.partners.of(body.pop("partner_id")), datetime.fromisoformat(body.pop("now"))
        return _results(await server.send(partner.request_signal(ReferralKind(body.pop("kind")), now, **body)))

    async def repeat(request: Request) -> Response:
        return _results(await server.repeat((await request.json())["partner_id"]))

    async def behave(request: Request) -> Response:
        body = await request.json()
        server.partners.of(body["partner_id"]).profile = behaviour_profile(body["manner"])
        return Response(status_code=204)

    async def speak(_request: Request) -> Response:
        server.speaks.set()
        return Response(status_code=204)

    async def agenda(_request: Request) -> Response:
        received = [kind for one in server.partners.known.values() for kind in one.seen.values()]
        return JSONResponse({"waiting": server.waiting, "next_at": _iso(server.partners.next_at), "received": received})

    post = {"/tick": tick, "/say": say, "/repeat": repeat, "/behave": behave, "/speak": speak}
    post["/receive/{partner_id}"] = receive
    routes = [Route(path, does, methods=["POST"]) for path, does in post.items()]
    return Starlette(
        routes=[*routes, Route("/agenda", agenda)], lifespan=_lifespan(server), exception_handlers=ERROR_RESPONSES
    )


async def _error_response(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 502 if isinstance(error, SignalNotAcceptedError) else 404)


ERROR_RESPONSES: Final[Any] = {SignalNotAcceptedError: _error_response, UnknownRequestError: _error_response}


def _results(results: list[SendResult]) -> Response:
    return JSONResponse([{"status": one.status, "receipt": one.receipt} for one in results])


def _lifespan(server: PartnerServer) -> Any:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        alive = asyncio.create_task(server.live()) if server.partners.live else None
        yield
        if alive:
            alive.cancel()
            with suppress(asyncio.CancelledError):
                await alive
        await server.close()

    return lifespan


# The process


def secrets_in(file: Path) -> dict[str, str]:
    """Returns the partners' secrets, by partner id."""
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _arguments(given: list[str]) -> argparse.Namespace:
    host, port = os.environ.get("AWDA_HOST", "127.0.0.1"), os.environ.get("AWDA_PORT", "8600")
    parser = argparse.ArgumentParser(prog="python -m simulator.main", description="Simulated partners.")
    parser.add_argument("--port", type=int, required=True, help="local port on which the partners receive")
    parser.add_argument(
        "--partners", type=Path, required=True, help="JSON file with the secret of each partner, by partner id"
    )
    parser.add_argument("--gateway", default=f"http://{host}:{port}", help="address of the gateway")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--manner", default=ORDINARY, help=f"behaviour profiles, joined by +: {', '.join(PROFILES)}")
    parser.add_argument("--live", action="store_true", help="respond by the real clock")
    parser.add_argument(
        "--pause", type=float, default=LIVE_PAUSE.total_seconds(), help="seconds between live responses"
    )
    parser.add_argument("--every", type=float, default=0.0, help="minimum seconds between two signals")
    parser.add_argument("--hold", action="store_true", help="send nothing until POST /speak")
    parser.add_argument(
        "--hurry", type=float, default=1.0, help="factor by which retries are sooner than the standard's"
    )
    parser.add_argument("--log", type=Path, help="file in which they log the responses")
    return parser.parse_args(given)


def main(given: list[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    options = _arguments(given)
    live = timedelta(seconds=options.pause) if options.live else None
    sender = SignalSender(options.gateway, secrets_in(options.partners), SignalLog(options.log), options.hurry)
    server = PartnerServer(
        SimulatedPartners(options.seed, live, behaviour_profile(options.manner)), sender, every_s=options.every
    )
    if not options.hold:
        server.speaks.set()
    uvicorn.run(create_app(server), host="127.0.0.1", port=options.port, log_level="warning", access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
