"""The dependencies of one process: settings, database, keys and the stop event."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import asyncpg

from store.crypto.keys import KeyStore
from workers.settings import InvalidSettingError, Settings


@dataclass(frozen=True)
class ProcessContext:
    """What ``workers.main`` gives to each process. ``stop`` is set when the process must end."""

    settings: Settings
    dsn: str
    pool: asyncpg.Pool[asyncpg.Record]
    keys: KeyStore
    stop: asyncio.Event

    @property
    def temporal_address(self) -> str:
        """The address of Temporal. Raises ``InvalidSettingError`` if it is not set."""
        if self.settings.temporal_address is None:
            raise InvalidSettingError(
                "AWDA_TEMPORAL_ADDRESS is not set. Set it to the address of your Temporal server (host:port), "
                "or use `awda up`, which sets it."
            )
        return self.settings.temporal_address
