"""The processes of one installation: ``python -m workers.main case-worker|relay|projector|gateway``.

Wiring only. Each process checks that its servers can be trusted, then runs until it is asked to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

import uvloop

from store.crypto.keys import KeyStore, MasterKey
from store.postgres.database import open_pool
from workers.context import ProcessContext
from workers.doctor import insist
from workers.process_list import NAMES
from workers.settings import Home, InvalidSettingError, Settings

log = logging.getLogger("awda.process")

RINGING = ("case-worker", "relay")
"""Who speaks to Temporal. The others begin their work also while it is away: partners must be answered."""


@asynccontextmanager
async def opened(name: str, settings: Settings, stop: asyncio.Event) -> AsyncIterator[ProcessContext]:
    """The connections of one process. Raises ``Unfit`` where the servers cannot be trusted."""
    dsn = settings.database_url
    if dsn is None:
        raise InvalidSettingError("AWDA_DATABASE_URL is not set; `awda up` sets it, or name your own server")
    if settings.temporal_address:
        address = settings.temporal_address if name in RINGING else None
        await insist(None, dsn, address, namespace=settings.temporal_namespace)
    pool = await open_pool(dsn)
    try:
        yield ProcessContext(
            settings, dsn, pool, KeyStore(pool, MasterKey(Home(settings.home).master_key(settings))), stop
        )
    finally:
        await pool.close()


async def run(name: str, settings: Settings) -> None:
    """One process, until it is asked to stop or its work ends."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with opened(name, settings, stop) as context:
        work = import_module(f"workers.{name.replace('-', '_')}")  # only its own: a relay needs no web server
        await work.serve(context)


def main(arguments: list[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    if len(arguments) != 1 or arguments[0] not in NAMES:
        sys.stderr.write(f"usage: python -m workers.main {'|'.join(NAMES)}\n")
        return 2
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(run(arguments[0], Settings.read()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
