"""The processes of one installation: ``python -m workers.main case-worker|relay|projector|gateway``.

Wiring only. Each process checks that its servers can be trusted, then runs until it is asked to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg
from temporalio.client import Client

from activities.deliver import Delivering
from activities.record import Recording
from gateway.main import serve
from store.database import open_pool
from store.doorbell import Doorbell
from store.keys import KeyStore, MasterKey
from workers.case_worker import case_worker, connect, delivery_worker
from workers.doctor import insist
from workers.home import Home, Settings, WrongSetting
from workers.processes import Command, module
from workers.projector import run as run_projection
from workers.relay import Relay

log = logging.getLogger("awda.process")


@dataclass(frozen=True)
class Parts:
    """What every process is given: its settings, the database, the keys, and when to stop."""

    settings: Settings
    dsn: str
    pool: asyncpg.Pool[asyncpg.Record]
    keys: KeyStore
    stop: asyncio.Event

    async def client(self) -> Client:
        address = self.settings.temporal_address
        if address is None:
            raise WrongSetting("AWDA_TEMPORAL_ADDRESS is not set; `awda up` sets it, or name your own server")
        return await connect(address, self.settings.temporal_namespace)


@asynccontextmanager
async def opened(settings: Settings, stop: asyncio.Event) -> AsyncIterator[Parts]:
    """The connections of one process. Raises ``Unfit`` where the servers cannot be trusted."""
    dsn = settings.database_url
    if dsn is None:
        raise WrongSetting("AWDA_DATABASE_URL is not set; `awda up` sets it, or name your own server")
    if settings.temporal_address:
        await insist(None, dsn, settings.temporal_address, namespace=settings.temporal_namespace)
    pool = await open_pool(dsn)
    try:
        yield Parts(settings, dsn, pool, KeyStore(pool, MasterKey(Home(settings.home).master_key(settings))), stop)
    finally:
        await pool.close()


async def run_case_worker(parts: Parts) -> None:
    """Drives cases, flights and deliveries."""
    client = await parts.client()
    async with Doorbell(parts.dsn) as doorbell:
        recording = Recording(parts.pool, parts.keys, doorbell)
        async with case_worker(client, recording), delivery_worker(client, Delivering(parts.pool, parts.keys)):
            await parts.stop.wait()


async def run_relay(parts: Parts) -> None:
    """Rings what has news, starts deliveries, sweeps."""
    await Relay(await parts.client(), parts.pool, parts.keys, parts.dsn).run(parts.stop)


async def run_projector(parts: Parts) -> None:
    """Keeps the read tables."""
    await run_projection(parts.pool, parts.dsn, parts.stop)


async def run_gateway(parts: Parts) -> None:
    """Answers over HTTP."""
    await serve(parts.settings, stop=parts.stop)


PROCESSES: Final[Mapping[str, Callable[[Parts], Awaitable[None]]]] = {
    "case-worker": run_case_worker,
    "relay": run_relay,
    "projector": run_projector,
    "gateway": run_gateway,
}


def commands() -> list[Command]:
    """Our processes as the supervisor starts them."""
    return [module(name, "workers.main", name) for name in PROCESSES]


async def run(name: str, settings: Settings) -> None:
    """One process, until it is asked to stop or its work ends."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with opened(settings, stop) as parts:
        await PROCESSES[name](parts)


def main(arguments: list[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    if len(arguments) != 1 or arguments[0] not in PROCESSES:
        sys.stderr.write(f"usage: python -m workers.main {'|'.join(PROCESSES)}\n")
        return 2
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(arguments[0], Settings.read()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
