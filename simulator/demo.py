"""A finite demonstration: made-up cases through all stages, on a clock that moves only when everybody has finished.

Real servers, our own processes and the simulator's; staff and partners speak HTTP. Same seed, same figures.
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
"""Told how many cases have ended, how many there are, and the programme's date."""


class UnexpectedOutcomeError(Exception):
    """Some cases ended otherwise than their scripts say. The figures are in ``figures``."""

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
    """Bring everything up in an empty home, live through ``cases`` cases, and say what came of it.

    ``registrations``: fields of ``RegisterCase``; the first cases are theirs, the others are made up. Raises
    ``InvalidSettingError`` for a home that is in use, ``SimulationStuckError`` and ``UnexpectedOutcomeError`` when
    something goes wrong, and
    ``KeyboardInterrupt`` when asked to stop before the end.
    """
    demo = DemoRun(settings, cases, seed, say, progress, registrations, free_port())
    stop, found = asyncio.Event(), []

    async def ready(servers: Servers) -> None:
        found.append(await demo.live(servers))
        stop.set()

    await up(settings, processes=demo.processes, migrate=demo.prepare, say=say, ready=ready, stop=stop)
    if not found:
        raise KeyboardInterrupt
    return found[0]


async def stand_ins(pool: Pool, master: MasterKey, port: int, secrets: Path) -> None:
    """Register the stand-in partners as listening on a port here, and leave their secrets in a file for them."""
    known = await standins.seed(pool, master, lambda partner_id: f"http://127.0.0.1:{port}/receive/{partner_id}")
    _write_private(secrets, json.dumps(dict(known)))


def simulator(port: int, secrets: Path, seed: int) -> Command:
    """The stand-in partners as the supervisor starts them."""
    told = ("--port", str(port), "--partners", str(secrets), "--seed", str(seed))
    return module("simulator", "simulator.main", *told)


@dataclass(frozen=True)
class DemoRun:
    """What one run is made of."""

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
        """Ours, and the stand-in partners."""
        return [*commands(made_up=True), simulator(self.port, self.secrets, self.seed)]

    @property
    def people(self) -> list[Mapping[str, Any]]:
        made_up = people(self.seed, self.cases)
        return [*self.registrations[: self.cases], *made_up[len(self.registrations) :]]

    async def prepare(self, owner_dsn: str) -> None:
        """Tables, a clock that stands still, and the partners with their secrets; before any process starts."""
        await migrate(owner_dsn)
        owner = await open_pool(owner_dsn)
        try:
            if await owner.fetchval("SELECT EXISTS (SELECT FROM streams)"):
                raise InvalidSettingError(
                    f"{self.settings.home} holds cases already; point AWDA_HOME at an empty folder"
                )
            await clock.stand_still(owner, STARTS)
            await stand_ins(owner, self.master, self.port, self.secrets)
        finally:
            await owner.close()

    async def live(self, servers: Servers) -> dict[str, Any]:
        """From the first registration to the last closure, then the figures and the verification."""
        began = monotonic()
        gateway = _client(Home(self.settings.home).state()["console_url"])
        desk = _client(f"http://127.0.0.1:{self.port}")
        async with await open_pool(servers.app_dsn) as pool, gateway, desk, Notifier(servers.app_dsn) as notifier:
            keys, staff = KeyStore(pool, self.master), Staff(StaffClient(gateway), self.seed)
            await _answers(desk)
            await Simulation(self, staff, desk, Quiescence(pool, keys), notifier).run()
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
        self.say("Every case has ended; verifying.")
        client = await connect(servers.temporal_address, servers.temporal_namespace)
        report = await verify(pool, keys, client)
        for line in [*report.findings, *report.unchecked][:10]:
            self.say(str(line))
        return report.result


def _client(url: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=url, timeout=120.0, trust_env=False)


async def _answers(desk: httpx2.AsyncClient) -> None:
    """Wait until the stand-in partners listen."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await desk.get("/agenda")
            except httpx2.HTTPError:
                await asyncio.sleep(0.05)
            else:
                return


@dataclass
class Simulation:
    """The days of a demonstration: everybody does what is due, then the clock moves to what comes next."""

    demo: DemoRun
    staff: Staff
    desk: httpx2.AsyncClient
    quiet: Quiescence
    notifier: Notifier
    now: datetime = STARTS
    partners_next: datetime | None = None

    async def run(self) -> None:
        self.demo.say(f"Registering {self.demo.cases} people.")
        await self.staff.register(self.demo.people, lambda place: journey_script(self.demo.seed, place), lambda _: None)
        self.demo.say("They set out; staff and partners work through the programme's days.")
        while True:
            await self.quiet.wait(self.now)
            await self.staff.look(self.now)
            ended = len(self.staff.files) - len(self.staff.open_files)
            self.demo.progress(ended, self.demo.cases, f"{self.now:%d %B %Y}")
            if not self.staff.open_files:
                return
            if not await self.staff.act(self.now) and not await self._partners_act():
                await self._move_on()

    async def _partners_act(self) -> bool:
        told = await self.desk.post("/tick", json={"now": self.now.isoformat()})
        told.raise_for_status()
        said = told.json()
        self.partners_next = datetime.fromisoformat(said["next_at"]) if said["next_at"] else None
        return bool(said["sent"])

    async def _move_on(self) -> None:
        """To the next thing anybody has to do. Deadlines are looked at when offices open."""
        due = await self.quiet.next_due()
        soonest = (self.staff.next_at, self.partners_next, when_offices_open(due) if due else None)
        later = min((moment for moment in soonest if moment and moment > self.now), default=None)
        if later is None or later > STARTS + CEILING:
            raise SimulationStuckError(self.staff, self.now)
        self.now = await clock.move(self.quiet.pool, later)
        self.notifier.notify(INBOX)


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
