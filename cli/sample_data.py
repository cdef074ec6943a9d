"""Sample data of an embedded home: simulated partners, and the registrations of the sample list."""

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
    """The simulated partners of a home. The first start of a home decides whether it has them."""

    settings: Settings
    home: Home
    port: int

    @classmethod
    def of(cls, settings: Settings, home: Home, *, empty: bool) -> SamplePartners | None:
        """Returns ``None`` for a home that was started empty, and for an external database."""
        home.make()
        wanted = "no" if empty or settings.database_url else "yes"
        if home.kept("made-up", wanted) == "no" or empty:
            return None
        return cls(settings, home, free_port())

    @staticmethod
    def exist_in(home: Home) -> bool:
        """Returns whether a home has simulated partners, without deciding it."""
        marker = home.keys / "made-up"
        return marker.exists() and marker.read_text().strip() == "yes"

    @property
    def secrets(self) -> Path:
        """The file with the simulated partners' copies of the shared secrets."""
        return self.home.keys / "stand-ins.json"

    @property
    def process(self) -> Command:
        """The command that runs the simulator."""
        return module(
            "simulator", "simulator.main", "--port", str(self.port), "--partners", str(self.secrets), "--live"
        )

    async def prepare(self, owner_dsn: str) -> None:
        """Migrates the database, registers the partners under their current port, and writes their secrets."""
        await migrate(owner_dsn)
        pool = await open_pool(owner_dsn)
        try:
            found = await seed(pool, MasterKey(self.home.master_key(self.settings)), self.receiver)
        finally:
            await pool.close()
        self.secrets.touch(mode=0o600)
        self.secrets.write_text(json.dumps(dict(found)), encoding="utf-8")

    def receiver(self, partner_id: str) -> str:
        """Returns the URL at which a simulated partner receives."""
        return f"http://127.0.0.1:{self.port}/receive/{partner_id}"

    async def register_people(self, servers: Servers, say: Say) -> None:
        """Imports the sample list on the first start of a home."""
        if self.home.kept("people-came", "no") == "yes":
            return
        result = await import_sample(servers.app_dsn, self.home.master_key(self.settings))
        say(f"Imported {result.started} sample registrations (samples/registrations.csv).")
        (self.home.keys / "people-came").write_text("yes", encoding="utf-8")


async def import_sample(dsn: str, master_key: bytes) -> ImportResult:
    """Imports the sample list; cases that exist already are not changed."""
    async with open_intake(dsn, master_key) as intake:
        return await start_all(intake, check_list(SAMPLE, (await now(intake.pool)).date()), OPERATOR)
