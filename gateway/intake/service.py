"""The intake: accepts messages from staff and partners and stores them in the inbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from gateway.intake.partners import PartnerIntake
from gateway.intake.staff import StaffIntake
from store.crypto.keys import KeyStore, MasterKey
from store.messages.inbox import Inbox
from store.messages.ledger import Ledger
from store.postgres.database import open_pool
from store.postgres.notifier import Notifier


class Intake:
    """Accepts messages: ``staff`` from staff, ``partners`` from partners. They share pool, keys and notifier."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], keys: KeyStore, notifier: Notifier) -> None:
        self.pool, self.keys, self.notifier = pool, keys, notifier
        self.inbox, self.ledgers = Inbox(pool, keys), Ledger(pool, keys)
        self.staff = StaffIntake(pool, keys, notifier, self.inbox)
        self.partners = PartnerIntake(pool, keys, notifier, self.ledgers)


@asynccontextmanager
async def open_intake(dsn: str, master_key: bytes) -> AsyncIterator[Intake]:
    """Opens an intake with its own connections. Pending notifications are sent before it closes."""
    pool = await open_pool(dsn)
    try:
        async with Notifier(dsn) as notifier:
            yield Intake(pool, KeyStore(pool, MasterKey(master_key)), notifier)
    finally:
        await pool.close()
