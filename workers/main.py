"""The processes of one installation: ``python -m workers.main case-worker|relay|projector|gateway``.

Composition only. Each process checks that its servers are configured safely, then runs until it is asked to stop.
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
from workers.doctor import require_fit_servers
from workers.process_list import NAMES
from workers.settings import Home, InvalidSettingError, Settings

log = logging.getLogger("awda.process")

TEMPORAL_CLIENTS = ("case-worker", "relay")
"""The processes that need Temporal. The others also start during an outage: partners must get their receipts."""


@asynccontextmanager
async def opened(name: str, settings: Settings, stop: asyncio.Event) -> AsyncIterator[ProcessContext]:
    """Opens the connections of one process.

    Raises ``UnfitServerError`` if a server is unreachable or not configured safely, ``InvalidSettingError`` if a
    setting is missing.
    """
    dsn = settings.database_url
    if dsn is None:
        raise InvalidSettingError(
            "AWDA_DATABASE_URL is not set. Set it to the URL of your PostgreSQL database, "
            "or use `awda up`, which sets it."
        )
    if settings.temporal_address:
        address = settings.temporal_address if name in TEMPORAL_CLIENTS else None
        await require_fit_servers(None, dsn, address, namespace=settings.temporal_namespace)
    pool = await open_pool(dsn)
    try:
        yield ProcessContext(
            settings, dsn, pool, KeyStore(pool, MasterKey(Home(settings.home).master_key(settings))), stop
        )
    finally:
        await pool.close()


async def run(name: str, settings: Settings) -> None:
    """Runs one process until it is asked to stop or its work ends."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with opened(name, settings, stop) as context:
        process = import_module(f"workers.{name.replace('-', '_')}")  # only this one: a relay needs no web server
        await process.serve(context)


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
