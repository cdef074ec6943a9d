"""What every process of ours is given: its settings, the database, the keys, and when to stop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import asyncpg

from store.crypto.keys import KeyStore
from workers.settings import InvalidSettingError, Settings


@dataclass(frozen=True)
class ProcessContext:
    """What every process is given: its settings, the database, the keys, and when to stop."""

    settings: Settings
    dsn: str
    pool: asyncpg.Pool[asyncpg.Record]
    keys: KeyStore
    stop: asyncio.Event

    @property
    def temporal_address(self) -> str:
        if self.settings.temporal_address is None:
            raise InvalidSettingError("AWDA_TEMPORAL_ADDRESS is not set; `awda up` sets it, or name your own server")
        return self.settings.temporal_address
