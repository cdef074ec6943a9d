"""A migrated database, connected to as the worker and as its owner, and a writer of events for the log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from domain.kernel.event import REGISTRY
from store.crypto.keys import KeyStore, MasterKey
from store.log.recorder import Recorder
from store.messages.inbox import Inbox
from store.postgres.database import open_pool
from tests.support.event_fixtures import EVENTS, LogWriter

MASTER = MasterKey(bytes(range(32)))


@pytest.fixture(autouse=True)
def _declared(monkeypatch: pytest.MonkeyPatch) -> None:
    for topic, event_class in EVENTS.items():
        monkeypatch.setitem(REGISTRY, topic, event_class)


@pytest.fixture
async def pool(database: Any) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """Connections with the rights of the worker."""
    async with await open_pool(database.app_dsn, max_size=20) as opened:
        yield opened


@pytest.fixture
async def owner(database: Any) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """Connections with the rights of the owner."""
    async with await open_pool(database.owner_dsn) as opened:
        yield opened


@pytest.fixture
def recorder(pool: asyncpg.Pool[asyncpg.Record]) -> Recorder:
    return Recorder(pool)


@pytest.fixture
def keys(pool: asyncpg.Pool[asyncpg.Record]) -> KeyStore:
    return KeyStore(pool, MASTER)


@pytest.fixture
def inbox(pool: asyncpg.Pool[asyncpg.Record], keys: KeyStore) -> Inbox:
    return Inbox(pool, keys)


@pytest.fixture
def desk(recorder: Recorder, keys: KeyStore, inbox: Inbox) -> LogWriter:
    """Returns a writer that opens cases and records events."""
    return LogWriter(recorder, keys, inbox)
