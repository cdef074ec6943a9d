"""Stand-in partners as a process of their own: ``python -m simulator.main --port P --partners FILE [--live]``.

It knows what was delivered to it, its partners' secrets and where the gateway is; nothing else. FILE decides whom it
plays: one organisation, or several. In a demo its clock is told (``POST /tick``); with ``--live`` it answers by itself,
a few seconds after it was asked, and sends again what was not acknowledged.
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
from simulator.behaviours import MANNERS, ORDINARY, behaviour_profile
from simulator.partner_client import SendResult, SignalLog, SignalNotAcceptedError, SignalSender
from simulator.partners import LIVE_PAUSE, PlannedSignal, SimulatedPartners, UnknownRequestError
from store.crypto.webhook_signatures import verified

log = logging.getLogger("awda.simulator")

LIVE_LOOK_S: Final = 0.5


@dataclass
class PartnerServer:
    """Receives for the partners it plays, and sends what they have to say.

    ``every_s``: seconds between two messages of a live process, which is silent until it ``speaks``.
    """

    partners: SimulatedPartners
    sender: SignalSender
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    said: list[PlannedSignal] = field(default_factory=list)
    every_s: float = 0.0
    speaks: asyncio.Event = field(default_factory=asyncio.Event)
    next: deque[PlannedSignal] = field(default_factory=deque)
    sending: set[asyncio.Task[None]] = field(default_factory=set)

    def receive(self, partner_id: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
        """Whether it was signed with the secret this partner shares with the programme."""
        secret = self.sender.secrets.get(partner_id)
        if secret is None or not verified((secret,), headers, body, time.time()):
            return False
        self.partners.receive(partner_id, json.loads(body), now)
        return True

    async def tick(self, now: datetime) -> dict[str, Any]:
        """Say everything that is due by now, one after the other, and tell when there is more.

        Raises ``SignalNotAcceptedError``.
        """
        async with self.turn:
            ready, sent = self.partners.due(now), 0
            try:
                for answer in ready:
                    await self.say(answer)
                    sent += 1
            finally:
                self.partners.put_back(ready[sent:])
            return {"sent": sent, "next_at": _text(self.partners.next_at)}

    async def say(self, answer: PlannedSignal) -> list[SendResult]:
        """Once, or as often as this partner repeats itself. Raises ``SignalNotAcceptedError``."""
        told = []
        for _ in range(answer.times):
            told.append(await self.sender.once(answer.asked.partner_id, answer.event(), self._ahead_s(answer)))
            if not told[-1].taken:
                raise SignalNotAcceptedError(
                    f"the gateway answered {told[-1].status} to {answer.asked.partner_id}: see its log"
                )
        self.said.append(answer)
        return told

    async def repeat(self, partner_id: str) -> list[SendResult]:
        """Everything this partner has said so far, once more under the same ids."""
        return [
            await self.sender.once(partner_id, answer.event(), self._ahead_s(answer))
            for answer in self.said
            if answer.asked.partner_id == partner_id
        ]

    def _ahead_s(self, answer: PlannedSignal) -> float:
        return self.partners.of(answer.asked.partner_id).how.signing_clock.total_seconds()

    async def live(self) -> None:
        """Answer by the real clock until cancelled, once it may speak."""
        await self.speaks.wait()
        while True:
            self.next.extend(self.partners.due(datetime.now(UTC)))
            while self.next:
                self._start(self._say_until_taken(self.next.popleft()))
                await asyncio.sleep(self.every_s)
            await asyncio.sleep(LIVE_LOOK_S)

    @property
    def waiting(self) -> int:
        """How many answers have not been acknowledged yet."""
        return len(self.partners.agenda) + len(self.next) + len(self.sending)

    async def _say_until_taken(self, answer: PlannedSignal) -> None:
        for _ in range(answer.times):
            await self.sender.until_taken(answer.asked.partner_id, answer.event(), self._ahead_s(answer))
        self.said.append(answer)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.sending.add(task)
        task.add_done_callback(self.sending.discard)

    async def close(self) -> None:
        for task in self.sending:
            task.cancel()
        await asyncio.gather(*self.sending, return_exceptions=True)
        await self.sender.http.aclose()


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


# The doors


def create_app(desk: PartnerServer) -> Starlette:
    """The partners' receivers and, for a demo or a test, the hand that moves their clock and their pen."""

    async def receive(request: Request) -> Response:
        body = await request.body()
        taken = desk.receive(request.path_params["partner_id"], request.headers, body, datetime.now(UTC))
        return Response(status_code=204 if taken else 401)

    async def tick(request: Request) -> Response:
        return JSONResponse(await desk.tick(datetime.fromisoformat((await request.json())["now"])))

    async def say(request: Request) -> Response:
        told = await request.json()
        one, now = desk.partners.of(told.pop("partner_id")), datetime.fromisoformat(told.pop("now"))
        return _as_told(await desk.say(one.say(ReferralKind(told.pop("kind")), now, **told)))

    async def repeat(request: Request) -> Response:
        return _as_told(await desk.repeat((await request.json())["partner_id"]))

    async def behave(request: Request) -> Response:
        asked = await request.json()
        desk.partners.of(asked["partner_id"]).how = behaviour_profile(asked["manner"])
        return Response(status_code=204)

    async def speak(_request: Request) -> Response:
        desk.speaks.set()
        return Response(status_code=204)

    async def agenda(_request: Request) -> Response:
        received = [kind for one in desk.partners.known.values() for kind in one.seen.values()]
        return JSONResponse({"waiting": desk.waiting, "next_at": _text(desk.partners.next_at), "received": received})

    post = {"/tick": tick, "/say": say, "/repeat": repeat, "/behave": behave, "/speak": speak}
    post["/receive/{partner_id}"] = receive
    routes = [Route(path, does, methods=["POST"]) for path, does in post.items()]
    return Starlette(routes=[*routes, Route("/agenda", agenda)], lifespan=_life(desk), exception_handlers=UNABLE)


async def _unable(_request: Request, fault: Exception) -> Response:
    return PlainTextResponse(str(fault), 502 if isinstance(fault, SignalNotAcceptedError) else 404)


UNABLE: Final[Any] = {SignalNotAcceptedError: _unable, UnknownRequestError: _unable}


def _as_told(told: list[SendResult]) -> Response:
    return JSONResponse([{"status": one.status, "receipt": one.receipt} for one in told])


def _life(desk: PartnerServer) -> Any:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        alive = asyncio.create_task(desk.live()) if desk.partners.live else None
        yield
        if alive:
            alive.cancel()
            with suppress(asyncio.CancelledError):
                await alive
        await desk.close()

    return lifespan


# The process


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
    parser.add_argument("--manner", default=ORDINARY, help=f"how they behave, joined by +: {', '.join(MANNERS)}")
    parser.add_argument("--live", action="store_true", help="answer by the real clock")
    parser.add_argument("--pause", type=float, default=LIVE_PAUSE.total_seconds(), help="seconds between live answers")
    parser.add_argument("--every", type=float, default=0.0, help="least seconds between two messages")
    parser.add_argument("--hold", action="store_true", help="be silent until POST /speak")
    parser.add_argument("--hurry", type=float, default=1.0, help="how many times sooner than the standard they retry")
    parser.add_argument("--log", type=Path, help="where they write down what they were answered")
    return parser.parse_args(given)


def main(given: list[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    asked = _arguments(given)
    live = timedelta(seconds=asked.pause) if asked.live else None
    sender = SignalSender(asked.gateway, secrets_in(asked.partners), SignalLog(asked.log), asked.hurry)
    desk = PartnerServer(
        SimulatedPartners(asked.seed, live, behaviour_profile(asked.manner)), sender, every_s=asked.every
    )
    if not asked.hold:
        desk.speaks.set()
    uvicorn.run(create_app(desk), host="127.0.0.1", port=asked.port, log_level="warning", access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
