"""A small version of ``awda up`` that tests start, interrupt and kill: real servers and one idle process.

Started as ``python launcher.py``; its settings come from the environment, as for ``awda up``.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import asyncpg

from workers.doctor import UnfitServerError
from workers.embedded.installation import Servers, up
from workers.embedded.processes import Command
from workers.settings import AlreadyRunningError, Settings

signal.signal(signal.SIGINT, signal.default_int_handler)  # the test itself may run where SIGINT is ignored

LOG = """
CREATE TABLE IF NOT EXISTS events (n int);
DO $$ BEGIN CREATE ROLE awda_app LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT SELECT, INSERT ON events TO awda_app
"""

IDLE = Command("idle", (sys.executable, "-c", "import time; time.sleep(600)"))


def say(text: str) -> None:
    print(text, flush=True)


async def migrate(owner_dsn: str) -> None:
    connection = await asyncpg.connect(owner_dsn)
    await connection.execute(LOG)
    await connection.close()


async def ready(servers: Servers) -> None:
    say("ready")


if __name__ == "__main__":
    try:
        asyncio.run(up(Settings.read(), processes=[IDLE], migrate=migrate, say=say, ready=ready))
    except AlreadyRunningError as refused:
        say(f"refused: {refused}")
    except UnfitServerError as unfit:
        say(f"unfit: {', '.join(each.name for each in unfit.findings)}")
