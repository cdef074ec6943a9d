"""Awda's own processes as an installation runs them, started and killed by a test."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.databases import Database
from workers.embedded.installation import Servers

PROJECT = Path(__file__).parents[2]

MASTER_SECRET = b"a master key for tests, 32 bytes"


@dataclass
class WorkerProcesses:
    """Running processes by name. A process that ends is started again, without its failpoint."""

    environment: dict[str, str]
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    supervisors: list[asyncio.Task[None]] = field(default_factory=list)
    deaths: int = 0

    async def start(self, name: str, **more: str) -> None:
        self.running[name] = await self._spawn(name, more)
        self.supervisors.append(asyncio.create_task(self._supervise(name)))

    async def _spawn(self, name: str, more: dict[str, str]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "workers.main", name, env={**self.environment, **more},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    async def _supervise(self, name: str) -> None:
        while True:
            await self.running[name].wait()
            self.deaths += 1
            self.running[name] = await self._spawn(name, {})

    def kill(self, name: str) -> None:
        self.running[name].send_signal(signal.SIGKILL)

    async def stop(self) -> None:
        for supervisor in self.supervisors:
            supervisor.cancel()
        await asyncio.gather(*self.supervisors, return_exceptions=True)
        for process in self.running.values():
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
        await asyncio.gather(*(process.wait() for process in self.running.values()))


@asynccontextmanager
async def worker_processes(
    database: Database, servers: Servers, home: Path, **more: Any
) -> AsyncIterator[WorkerProcesses]:
    """Yields the processes of an installation on a test's database; none is started yet."""
    processes = WorkerProcesses(
        {
            **os.environ,
            "PYTHONPATH": str(PROJECT),
            "AWDA_HOME": str(home),
            "AWDA_DATABASE_URL": database.app_dsn,
            "AWDA_TEMPORAL_ADDRESS": servers.temporal_address,
            "AWDA_MASTER_KEY": base64.b64encode(MASTER_SECRET).decode(),
            **more,
        }
    )
    try:
        yield processes
    finally:
        await processes.stop()
