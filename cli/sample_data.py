"""Made-up company for an embedded home: stand-in partners that answer, and people from the sample list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.registration_import import ImportResult, start_all
from cli.registration_list import SAMPLE, check_list
from gateway.intake.service import open_intake
from store.crypto.keys import MasterKey
from store.partners.seed import seed
from store.postgres.clock import now
from store.postgres.database import migrate, open_pool
from workers.embedded.installation import Say, Servers
from workers.embedded.processes import Command, module
from workers.embedded.temporal import free_port
from workers.settings import Home, Settings

OPERATOR: Final = "operator"


@dataclass(frozen=True, slots=True)
class SamplePartners:
    """The partners that the simulator plays in one home. The first start decides whether a home has any."""

    settings: Settings
    home: Home
    port: int

    @classmethod
    def of(cls, settings: Settings, home: Home, *, empty: bool) -> SamplePartners | None:
        """None in a home that is to be empty, and in a database of somebody's own."""
        home.make()
        wanted = "no" if empty or settings.database_url else "yes"
        if home.kept("made-up", wanted) == "no" or empty:
            return None
        return cls(settings, home, free_port())

    @staticmethod
    def play_in(home: Home) -> bool:
        """Whether a home has made-up partners; asking decides nothing."""
        noted = home.keys / "made-up"
        return noted.exists() and noted.read_text().strip() == "yes"

    @property
    def secrets(self) -> Path:
        """The partners' copies of the secrets they share with the programme."""
        return self.home.keys / "stand-ins.json"

    @property
    def process(self) -> Command:
        return module(
            "simulator", "simulator.main", "--port", str(self.port), "--partners", str(self.secrets), "--live"
        )

    async def prepare(self, owner_dsn: str) -> None:
        """Migrate, register the stand-ins where they listen today, and hand them their secrets."""
        await migrate(owner_dsn)
        pool = await open_pool(owner_dsn)
        try:
            found = await seed(pool, MasterKey(self.home.master_key(self.settings)), self.receiver)
        finally:
            await pool.close()
        self.secrets.touch(mode=0o600)
        self.secrets.write_text(json.dumps(dict(found)), encoding="utf-8")

    def receiver(self, partner_id: str) -> str:
        return f"http://127.0.0.1:{self.port}/receive/{partner_id}"

    async def arrive(self, servers: Servers, say: Say) -> None:
        """On the first start, people come: those of the sample list, once."""
        if self.home.kept("people-came", "no") == "yes":
            return
        brought = await bring_sample(servers.app_dsn, self.home.master_key(self.settings))
        say(f"{brought.started} made-up people have registered (samples/registrations.csv).")
        (self.home.keys / "people-came").write_text("yes", encoding="utf-8")


async def bring_sample(dsn: str, master_key: bytes) -> ImportResult:
    """Start the cases of the sample list; those that are there already stay as they are."""
    async with open_intake(dsn, master_key) as intake:
        return await start_all(intake, check_list(SAMPLE, (await now(intake.pool)).date()), OPERATOR)
