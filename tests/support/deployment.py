"""A complete deployment for a test: real servers, Awda's own processes, and one process for each simulated partner.

Staff and partners use HTTP. The programme clock is stopped and moves only when the test moves it; on the way, all work
that is due is done in the order in which it is due.
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
from tests.support.ports import free_port
from tests.support.processes import PROJECT, WorkerProcesses, worker_processes
from tests.support.running_worker import MASTER, RunningWorker, an_intake
from workers.embedded.installation import Servers
from workers.quiescence import Quiescence

PROCESSES = ("gateway", "relay", "case-worker", "projector")

PATIENCE_S = 180.0


@dataclass
class PartnerProcess:
    """The process of one simulated partner. ``attempts`` and ``acknowledged`` are read from the partner's own log."""

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
        """Returns every attempt that the partner logged, oldest first."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    @property
    def acknowledged(self) -> dict[str, str]:
        """Returns the receipt of each message that was acknowledged, by message id."""
        return {one["id"]: one["receipt"] for one in self.attempts if one["status"] == 202}

    async def start(self, secret: str, gateway: str, *options: str) -> None:
        secrets = self.folder / f"{self.partner_id}.json"
        secrets.write_text(json.dumps({self.partner_id: secret}))
        usual = ("--port", str(self.port), "--partners", str(secrets), "--gateway", gateway, "--log", str(self.log))
        with (self.folder / f"{self.partner_id}.err").open("ab") as errors:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "simulator.main", *usual, *options,
                env={"PYTHONPATH": str(PROJECT)}, stdout=asyncio.subprocess.DEVNULL, stderr=errors,
            )  # fmt: skip

    async def stop(self) -> None:
        if self.process and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def post(self, path: str, **fields: Any) -> httpx2.Response:
        return await self.http.post(f"http://127.0.0.1:{self.port}{path}", json=fields)

    async def agenda(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(f"http://127.0.0.1:{self.port}/agenda")).json()
        return found

    async def set_profile(self, profile: str) -> None:
        (await self.post("/behave", partner_id=self.partner_id, manner=profile)).raise_for_status()


@dataclass
class Deployment:
    """A running deployment: submits messages of staff, advances time, makes partners send signals, reads state."""

    worker: RunningWorker
    processes: WorkerProcesses
    staff: StaffClient
    quiet: Quiescence
    partners: dict[str, PartnerProcess]
    gateway: str
    cases: dict[UUID, str] = field(default_factory=dict)

    # Staff

    async def a_registered_case(self) -> UUID:
        outcome = await self._submit("cases", "RegisterCase", REGISTRATION)
        assert outcome.status == "applied", outcome
        case: UUID = await self.worker.pool.fetchval("SELECT stream_id FROM streams WHERE number = $1", outcome.number)
        self.cases[case] = str(outcome.number)
        await self.worker.until(case, "ScreeningStarted", PATIENCE_S)
        return case

    async def a_screened_case(self) -> UUID:
        case = await self.a_registered_case()
        for name, fields in (*SCREENING, ("CompleteScreening", {})):
            await self.record(case, name, **fields)
        await self.worker.until(case, "ReferralSent", PATIENCE_S)
        return case

    async def submit(self, case: UUID, name: str, **fields: Any) -> MessageOutcome:
        return await self._submit(f"cases/{self.cases[case]}/messages", name, fields)

    async def _submit(self, path: str, name: str, fields: Mapping[str, Any]) -> MessageOutcome:
        """Submits a message under one key until it is processed, however slow the machine is."""
        key = uuid4().hex
        async with asyncio.timeout(PATIENCE_S):
            while True:
                outcome = await self.staff.submit(path, name, fields, user="fatima", key=key, wait=True)
                if outcome.status != "taken":
                    return outcome

    async def record(self, case: UUID, name: str, **fields: Any) -> None:
        """Submits a message of staff, and fails unless it is applied."""
        outcome = await self.submit(case, name, **fields)
        assert outcome.status == "applied", (name, outcome)

    async def record_consent(self, case: UUID, *purposes: str) -> None:
        for purpose in purposes:
            await self.record(case, "RecordConsent", purpose=purpose, form_version="C-1", language="en")

    # Time, and partners

    async def now(self) -> datetime:
        return await clock.now(self.worker.pool)

    async def settle(self) -> None:
        """Waits until all work due at the present time is done: messages, deadlines, deliveries, partners' signals."""
        while True:
            self.worker.notifier.notify(INBOX)
            await self.quiet.wait(await self.now())
            if not await self._partners_act():
                return

    async def advance_to(self, moment: str | datetime) -> None:
        """Advances the programme clock to a time, and stops at everything that is due on the way."""
        until = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        await self.settle()
        while (due := await self._next_due()) and due <= until:
            await clock.move(self.worker.pool, max(due, await self.now()))
            await self.settle()
        await clock.move(self.worker.pool, until)
        await self.settle()

    async def advance_by(self, **span: float) -> None:
        await self.advance_to(await self.now() + timedelta(**span))

    async def _partners_act(self) -> bool:
        now = (await self.now()).isoformat()
        responses = [await partner.post("/tick", now=now) for partner in self.partners.values()]
        return any(response.json()["sent"] for response in responses if response.status_code == 200)

    async def _next_due(self) -> datetime | None:
        agendas = [(await partner.agenda())["next_at"] for partner in self.partners.values()]
        now = await self.now()
        partners = [moment for at in agendas if at and (moment := datetime.fromisoformat(at)) > now]
        due = await self.quiet.next_due()
        return min((*partners, *([due] if due else [])), default=None)

    async def partner_sends(self, partner_id: str, kind: str, signal: str, **more: Any) -> None:
        """Makes a partner send a signal about its newest referral of a kind, and waits for the effect."""
        now = (await self.now()).isoformat()
        fields = dict(partner_id=partner_id, kind=kind, now=now, signal_type=signal, **more)
        (await self.partners[partner_id].post("/say", **fields)).raise_for_status()
        await self.settle()

    # State

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
        """Returns the number of a partner's messages by status."""
        found = await self.worker.pool.fetch(ACCOUNT, f"partner:{partner_id}")
        return Counter({row["status"]: row["count"] for row in found})


ACCOUNT = "SELECT status, count(*) FROM inbox WHERE source = $1 AND name = 'partner.signal' GROUP BY status"


@asynccontextmanager
async def a_deployment(
    database: Database,
    servers: Servers,
    folder: Path,
    partners: Mapping[str, str],
    *options: str,
    at: str | None = "2026-11-23T08:00:00+00:00",
) -> AsyncIterator[Deployment]:
    """Runs a deployment until the end of the block.

    ``partners``: the simulated partners with their behaviour profiles. ``options``: further options of their processes.
    ``at``: where the programme clock is stopped; ``None`` lets it run.
    """
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(an_intake(database, servers))
        http = await stack.enter_async_context(httpx2.AsyncClient(timeout=60, trust_env=False))
        port = free_port()
        gateway = f"http://127.0.0.1:{port}"
        simulated = {name: PartnerProcess(name, free_port(), folder, http) for name in partners}
        if at:
            await worker.stands_at(at)
        secrets = await seed(worker.owner, MASTER, lambda name: simulated[name].url if name in simulated else None)
        environment = {"AWDA_PORT": str(port), "AWDA_LOOPBACK_RECEIVERS": "1"}
        processes = await stack.enter_async_context(worker_processes(database, servers, folder, **environment))
        for name in PROCESSES:
            await processes.start(name)
        for name, partner in simulated.items():
            stack.push_async_callback(partner.stop)
            await partner.start(secrets[name], gateway, "--manner", partners[name], *options)
        agendas = (f"http://127.0.0.1:{partner.port}/agenda" for partner in simulated.values())
        await _wait_for_all(http, [f"{gateway}/healthz", *agendas])
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=gateway, timeout=60, trust_env=False))
        quiet = Quiescence(worker.pool, worker.keys)
        yield Deployment(worker, processes, StaffClient(client), quiet, simulated, gateway)


async def _wait_for_all(http: httpx2.AsyncClient, urls: list[str]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        for url in urls:
            while not await answers(http, url):
                await asyncio.sleep(0.1)


async def answers(http: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).is_success
    except httpx2.HTTPError:
        return False
