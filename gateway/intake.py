"""The desk: where staff and partners hand messages in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from gateway.from_partners import FromPartners
from gateway.from_staff import FromStaff
from gateway.gathering import Gathering
from gateway.signers import Signers
from store.accounts import Ledgers
from store.database import open_pool
from store.doorbell import Doorbell
from store.inbox import Inbox
from store.keys import KeyStore, MasterKey
from store.receipts import ReceiptKey


class Desk(FromStaff, FromPartners):
    """Where messages are handed in."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], keys: KeyStore, doorbell: Doorbell) -> None:
        self.pool, self.keys, self.doorbell = pool, keys, doorbell
        self.inbox, self.ledgers = Inbox(pool, keys), Ledgers(pool, keys)
        self.signers, self.receipt_key = Signers(pool, keys.master), ReceiptKey(keys.master)
        self.gathering = Gathering(self.ledgers.take)
        self._key_is_known = False


@asynccontextmanager
async def open_desk(dsn: str, master_key: bytes) -> AsyncIterator[Desk]:
    """A desk of one's own, for a command or a demo. What was rung for is sent before it closes."""
    pool = await open_pool(dsn)
    try:
        async with Doorbell(dsn) as doorbell:
            yield Desk(pool, KeyStore(pool, MasterKey(master_key)), doorbell)
    finally:
        await pool.close()
