"""A town for a test: the gateway and the workers as processes, stand-in partners in processes of their own, real servers.

Staff and partners speak HTTP. The programme's clock stands still and moves only when the test moves it; on the way
everybody does what is due, in the order in which it is due.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.kernel.event import Event
from domain.kernel.vocabulary import ReferralKind
from simulator.staff_client import MessageOutcome, StaffClient
from store.partners.seed import seed
from store.postgres import clock
from store.postgres.notifier import INBOX
from tests.support.databases import Database
from tests.support.journey_steps import REGISTRATION, SCREENING
from tests.support.processes import PROJECT, WorkerProcesses, worker_processes
from tests.support.running_worker import MASTER, RunningWorker, an_intake
from workers.embedded.installation import Servers
from workers.embedded.temporal import free_port
from workers.quiescence import Quiescence

PROCESSES = ("gateway", "relay", "case-worker", "projector")

PATIENCE_S = 180.0


@dataclass
class PartnerProcess:
    """One partner's own system, as the town knows it. ``acknowledged`` is read from the log it keeps for itself."""

    partner_id: str
    port: int
    folder: Path
    http: httpx2.AsyncClient
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/receive/{self.partner_id}"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.partner_id}.log"

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """Every attempt it noted, oldest first."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    @property
    def acknowledged(self) -> dict[str, str]:
        """The receipt of each message it sent and was told of as received."""
        return {one["id"]: one["receipt"] for one in self.attempts if one["status"] == 202}

    async def start(self, secret: str, gateway: str, *told: str) -> None:
        secrets = self.folder / f"{self.partner_id}.json"
        secrets.write_text(json.dumps({self.partner_id: secret}))
        about = ("--port", str(self.port), "--partners", str(secrets), "--gateway", gateway, "--log", str(self.log))
        with (self.folder / f"{self.partner_id}.err").open("ab") as complaints:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "simulator.main", *about, *told,
                env={"PYTHONPATH": str(PROJECT)}, stdout=asyncio.subprocess.DEVNULL, stderr=complaints,
            )  # fmt: skip

    async def stop(self) -> None:
        if self.process and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def post(self, path: str, **told: Any) -> httpx2.Response:
        return await self.http.post(f"http://127.0.0.1:{self.port}{path}", json=told)

    async def agenda(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(f"http://127.0.0.1:{self.port}/agenda")).json()
        return found

    async def behaves(self, manner: str) -> None:
        (await self.post("/behave", partner_id=self.partner_id, manner=manner)).raise_for_status()


@dataclass
class Deployment:
    """What a test may ask of the town: staff say something, time passes, a partner says something, what stands."""

    worker: RunningWorker
    processes: WorkerProcesses
    staff: StaffClient
    quiet: Quiescence
    neighbours: dict[str, PartnerProcess]
    gateway: str
    cases: dict[UUID, str] = field(default_factory=dict)

    # Staff

    async def a_registered_case(self) -> UUID:
        began = await self._handed_in("cases", "RegisterCase", REGISTRATION)
        assert began.status == "applied", began
        case: UUID = await self.worker.pool.fetchval("SELECT stream_id FROM streams WHERE number = $1", began.number)
        self.cases[case] = str(began.number)
        await self.worker.until(case, "ScreeningStarted", PATIENCE_S)
        return case

    async def a_screened_case(self) -> UUID:
        case = await self.a_registered_case()
        for name, fields in (*SCREENING, ("CompleteScreening", {})):
            await self.takes(case, name, **fields)
        await self.worker.until(case, "ReferralSent", PATIENCE_S)
        return case

    async def tells(self, case: UUID, name: str, **fields: Any) -> MessageOutcome:
        return await self._handed_in(f"cases/{self.cases[case]}/messages", name, fields)

    async def _handed_in(self, path: str, name: str, fields: Mapping[str, Any]) -> MessageOutcome:
        """Handed in under one key until it is decided, however slow the machine is."""
        key = uuid4().hex
        async with asyncio.timeout(PATIENCE_S):
            while True:
                became = await self.staff.submit(path, name, fields, user="fatima", key=key, wait=True)
                if became.status != "taken":
                    return became

    async def takes(self, case: UUID, name: str, **fields: Any) -> None:
        """Said by staff, and applied."""
        became = await self.tells(case, name, **fields)
        assert became.status == "applied", (name, became)

    async def agrees_to(self, case: UUID, *purposes: str) -> None:
        for purpose in purposes:
            await self.takes(case, "RecordConsent", purpose=purpose, form_version="C-1", language="en")

    # Time, and partners

    async def now(self) -> datetime:
        return await clock.now(self.worker.pool)

    async def rests(self) -> None:
        """Everybody has done what is due at this moment: messages, deadlines, deliveries, and partners' answers."""
        while True:
            self.worker.notifier.notify(INBOX)
            await self.quiet.wait(await self.now())
            if not await self._partners_act():
                return

    async def at(self, moment: str | datetime) -> None:
        """Time passes to a moment, stopping at whatever is due on the way."""
        until = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        await self.rests()
        while (soonest := await self._soonest()) and soonest <= until:
            await clock.move(self.worker.pool, max(soonest, await self.now()))
            await self.rests()
        await clock.move(self.worker.pool, until)
        await self.rests()

    async def after(self, **span: float) -> None:
        await self.at(await self.now() + timedelta(**span))

    async def _partners_act(self) -> bool:
        now = (await self.now()).isoformat()
        told = [await one.post("/tick", now=now) for one in self.neighbours.values()]
        return any(answer.json()["sent"] for answer in told if answer.status_code == 200)

    async def _soonest(self) -> datetime | None:
        agendas = [(await one.agenda())["next_at"] for one in self.neighbours.values()]
        now = await self.now()
        partners = [moment for at in agendas if at and (moment := datetime.fromisoformat(at)) > now]
        due = await self.quiet.next_due()
        return min((*partners, *([due] if due else [])), default=None)

    async def says(self, partner_id: str, kind: str, signal: str, **more: Any) -> None:
        """A partner says something of what it was asked, through its own system; and it has its effect."""
        now = (await self.now()).isoformat()
        told = dict(partner_id=partner_id, kind=kind, now=now, signal_type=signal, **more)
        (await self.neighbours[partner_id].post("/say", **told)).raise_for_status()
        await self.rests()

    # What stands

    async def state(self, case: UUID) -> Case:
        state = await self.worker.state(case)
        assert isinstance(state, Case)
        return state

    async def log(self, case: UUID) -> list[Event]:
        return await self.worker.log(case)

    async def names(self, case: UUID) -> list[str]:
        return await self.worker.names(case)

    async def referral(self, case: UUID, kind: str, which: int = -1) -> Referral:
        found = [one for one in (await self.state(case)).referrals.values() if one.asked_kind is ReferralKind(kind)]
        return found[which]

    async def account(self, partner_id: str) -> Counter[str]:
        """How many of a partner's messages ended in which way."""
        found = await self.worker.pool.fetch(ACCOUNT, f"partner:{partner_id}")
        return Counter({row["status"]: row["count"] for row in found})


ACCOUNT = "SELECT status, count(*) FROM inbox WHERE source = $1 AND name = 'partner.signal' GROUP BY status"


@asynccontextmanager
async def a_deployment(
    database: Database,
    servers: Servers,
    folder: Path,
    partners: Mapping[str, str],
    *told: str,
    at: str | None = "2026-11-23T08:00:00+00:00",
) -> AsyncIterator[Deployment]:
    """Everything runs until the test has ended. ``partners``: who is played, and in which manner."""
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(an_intake(database, servers))
        http = await stack.enter_async_context(httpx2.AsyncClient(timeout=60, trust_env=False))
        port = free_port()
        gateway = f"http://127.0.0.1:{port}"
        played = {name: PartnerProcess(name, free_port(), folder, http) for name in partners}
        if at:
            await worker.stands_at(at)
        secrets = await seed(worker.owner, MASTER, lambda name: played[name].url if name in played else None)
        environment = {"AWDA_PORT": str(port), "AWDA_LOOPBACK_RECEIVERS": "1"}
        processes = await stack.enter_async_context(worker_processes(database, servers, folder, **environment))
        for name in PROCESSES:
            await processes.start(name)
        for name, one in played.items():
            stack.push_async_callback(one.stop)
            await one.start(secrets[name], gateway, "--manner", partners[name], *told)
        await _all_answer(http, [f"{gateway}/healthz", *(f"http://127.0.0.1:{o.port}/agenda" for o in played.values())])
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=gateway, timeout=60, trust_env=False))
        yield Deployment(worker, processes, StaffClient(client), Quiescence(worker.pool, worker.keys), played, gateway)


async def _all_answer(http: httpx2.AsyncClient, urls: list[str]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        for url in urls:
            while not await answers(http, url):
                await asyncio.sleep(0.1)


async def answers(http: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).is_success
    except httpx2.HTTPError:
        return False
