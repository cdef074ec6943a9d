"""A finite demonstration: synthetic cases pass through all stages on a programme clock that the demonstration moves.

It runs real servers, Awda's own processes and the simulator. Simulated staff and partners use HTTP. The clock moves
only when all work that is due is done, so the same seed gives the same figures.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Final

import httpx2

from audit.verification.verify import verify
from simulator.metrics import Pool, SimulationStuckError, figures, not_as_scripted
from simulator.people import people
from simulator.scenarios import journey_script
from simulator.seeded_random import when_offices_open
from simulator.staff import Staff
from simulator.staff_client import StaffClient
from store.crypto.keys import KeyStore, MasterKey
from store.partners import seed as standins
from store.postgres import clock
from store.postgres.database import migrate, open_pool
from store.postgres.notifier import INBOX, Notifier
from workers.embedded.installation import Say, Servers, up
from workers.embedded.processes import Command, module
from workers.embedded.temporal import free_port
from workers.process_list import commands
from workers.quiescence import Quiescence
from workers.settings import Home, InvalidSettingError, Settings
from workers.temporal_client import connect

STARTS: Final = datetime(2026, 1, 11, 6, 0, tzinfo=UTC)

CEILING: Final = timedelta(days=4 * 365)

PATIENCE_S: Final = 30.0

Progress = Callable[[int, int, str], object]
"""Called with the number of closed cases, the number of cases, and the programme date."""


class UnexpectedOutcomeError(Exception):
    """Some cases did not end as their scripts say. The figures of the run are in ``figures``."""

    def __init__(self, wrong: Sequence[str], found: Mapping[str, Any]) -> None:
        super().__init__(f"{len(wrong)} cases did not end as their scripts say: {'; '.join(wrong[:5])}")
        self.figures = dict(found)


async def run_demo(
    settings: Settings,
    *,
    cases: int,
    seed: int = 1,
    say: Say = lambda _: None,
    progress: Progress = lambda *_: None,
    registrations: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Starts an installation in an empty home, simulates ``cases`` cases, and returns the figures.

    ``registrations``: fields of ``RegisterCase`` for the first cases; the others are synthetic. Raises
    ``InvalidSettingError`` if the home holds cases, ``SimulationStuckError`` or ``UnexpectedOutcomeError`` if the
    simulation fails, and ``KeyboardInterrupt`` if it is stopped before the end.
    """
    demo = DemoRun(settings, cases, seed, say, progress, registrations, free_port())
    stop, found = asyncio.Event(), []

    async def ready(servers: Servers) -> None:
        found.append(await demo.simulate(servers))
        stop.set()

    await up(settings, processes=demo.processes, migrate=demo.prepare, say=say, ready=ready, stop=stop)
    if not found:
        raise KeyboardInterrupt
    return found[0]


async def stand_ins(pool: Pool, master: MasterKey, port: int, secrets: Path) -> None:
    """Registers the simulated partners with receivers on a local port, and writes their secrets to a file."""
    known = await standins.seed(pool, master, lambda partner_id: f"http://127.0.0.1:{port}/receive/{partner_id}")
    _write_private(secrets, json.dumps(dict(known)))


def simulator(port: int, secrets: Path, seed: int) -> Command:
    """Returns the command with which the supervisor starts the simulated partners."""
    arguments = ("--port", str(port), "--partners", str(secrets), "--seed", str(seed))
    return module("simulator", "simulator.main", *arguments)


@dataclass(frozen=True)
class DemoRun:
    """The parameters of one run."""

    settings: Settings
    cases: int
    seed: int
    say: Say
    progress: Progress
    registrations: Sequence[Mapping[str, Any]]
    port: int

    @property
    def secrets(self) -> Path:
        return Home(self.settings.home).keys / "simulator.json"

    @property
    def master(self) -> MasterKey:
        return MasterKey(Home(self.settings.home).master_key(self.settings))

    @property
    def processes(self) -> list[Command]:
        """Returns the commands of Awda's own processes and of the simulated partners."""
        return [*commands(made_up=True), simulator(self.port, self.secrets, self.seed)]

    @property
    def people(self) -> list[Mapping[str, Any]]:
        synthetic = people(self.seed, self.cases)
        return [*self.registrations[: self.cases], *synthetic[len(self.registrations) :]]

    async def prepare(self, owner_dsn: str) -> None:
        """Migrates the database, stops the programme clock and registers partners, before any process starts."""
        await migrate(owner_dsn)
        owner = await open_pool(owner_dsn)
        try:
            if await owner.fetchval("SELECT EXISTS (SELECT FROM streams)"):
                raise InvalidSettingError(f"{self.settings.home} holds cases already; set AWDA_HOME to an empty folder")
            await clock.stop(owner, STARTS)
            await stand_ins(owner, self.master, self.port, self.secrets)
        finally:
            await owner.close()

    async def simulate(self, servers: Servers) -> dict[str, Any]:
        """Runs from the first registration to the last closure, and returns the figures with the verification."""
        began = monotonic()
        gateway = _client(Home(self.settings.home).state()["console_url"])
        partners = _client(f"http://127.0.0.1:{self.port}")
        async with await open_pool(servers.app_dsn) as pool, gateway, partners, Notifier(servers.app_dsn) as notifier:
            keys, staff = KeyStore(pool, self.master), Staff(StaffClient(gateway), self.seed)
            await _answers(partners)
            await Simulation(self, staff, partners, Quiescence(pool, keys), notifier).run()
            seconds = monotonic() - began
            found = {**await figures(pool), "seconds": round(seconds, 1)}
            found |= {
                "cases_per_second": round(self.cases / seconds, 3),
                "verify": await self._verified(servers, pool, keys),
            }
            wrong = await not_as_scripted(pool, staff.files.values())
        if wrong:
            raise UnexpectedOutcomeError(wrong, found)
        return found

    async def _verified(self, servers: Servers, pool: Pool, keys: KeyStore) -> str:
        self.say("All cases are closed. Verifying the installation.")
        client = await connect(servers.temporal_address, servers.temporal_namespace)
        report = await verify(pool, keys, client)
        for line in [*report.findings, *report.unchecked][:10]:
            self.say(str(line))
        return report.result


def _client(url: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=url, timeout=120.0, trust_env=False)


async def _answers(partners: httpx2.AsyncClient) -> None:
    """Waits until the process of the simulated partners listens."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await partners.get("/agenda")
            except httpx2.HTTPError:
                await asyncio.sleep(0.05)
            else:
                return


@dataclass
class Simulation:
    """The loop of a demonstration: staff and partners do what is due, then the clock moves to the next due time."""

    demo: DemoRun
    staff: Staff
    partners: httpx2.AsyncClient
    quiet: Quiescence
    notifier: Notifier
    now: datetime = STARTS
    partners_next: datetime | None = None

    async def run(self) -> None:
        self.demo.say(f"Registering {self.demo.cases} people.")
        await self.staff.register(self.demo.people, lambda place: journey_script(self.demo.seed, place), lambda _: None)
        self.demo.say("Simulating the work of staff and partners.")
        while True:
            await self.quiet.wait(self.now)
            await self.staff.read_cases(self.now)
            ended = len(self.staff.files) - len(self.staff.open_files)
            self.demo.progress(ended, self.demo.cases, f"{self.now:%d %B %Y}")
            if not self.staff.open_files:
                return
            if not await self.staff.act(self.now) and not await self._partners_act():
                await self._move_clock()

    async def _partners_act(self) -> bool:
        response = await self.partners.post("/tick", json={"now": self.now.isoformat()})
        response.raise_for_status()
        result = response.json()
        self.partners_next = datetime.fromisoformat(result["next_at"]) if result["next_at"] else None
        return bool(result["sent"])

    async def _move_clock(self) -> None:
        """Moves the programme clock to the next due time. Deadlines are processed when offices open."""
        due = await self.quiet.next_due()
        candidates = (self.staff.next_at, self.partners_next, when_offices_open(due) if due else None)
        target = min((time for time in candidates if time and time > self.now), default=None)
        if target is None or target > STARTS + CEILING:
            raise SimulationStuckError(self.staff, self.now)
        self.now = await clock.move(self.quiet.pool, target)
        self.notifier.notify(INBOX)


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
