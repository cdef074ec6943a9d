"""The command line on a database with recorded cases; the cases are produced by the rules, in memory."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import awda
from cli.output import ExitCode
from store.postgres.database import open_pool
from tests.support.databases import Database
from tests.support.recorded_archive import RecordedArchive

MASTER_KEY = base64.b64encode(bytes(range(32))).decode()


@dataclass(frozen=True)
class RecordedCases:
    """A database with recorded cases, and the command line that reads it."""

    database: Database
    home: Path

    def run(self, *words: str) -> Result:
        env = {
            "AWDA_HOME": str(self.home),
            "AWDA_DATABASE_URL": self.database.app_dsn,
            "AWDA_TEMPORAL_ADDRESS": "",
            "AWDA_MASTER_KEY": MASTER_KEY,
        }
        return CliRunner(env=env).invoke(awda, words)

    def json(self, *words: str) -> Any:
        """Returns what the command prints as JSON."""
        done = self.run(*words, "--json")
        assert done.exit_code == ExitCode.DONE, done.output
        return json.loads(done.stdout)

    def record(self, work: Callable[[RecordedArchive], Awaitable[object]]) -> None:
        """Runs a coroutine function that records cases."""

        async def working() -> None:
            database = self.database
            async with await open_pool(database.app_dsn) as pool, await open_pool(database.owner_dsn) as owner:
                await work(RecordedArchive(pool, owner))

        asyncio.run(working())


@pytest.fixture
def recorded(database: Database, tmp_path: Path) -> RecordedCases:
    return RecordedCases(database, tmp_path / "home")
