"""The desk: where staff and partners hand messages in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from gateway.intake.batching import Gathering
from gateway.intake.partners import FromPartners
from gateway.intake.signature_verifier import Signers
from gateway.intake.staff import FromStaff
from store.crypto.keys import KeyStore, MasterKey
from store.messages.inbox import Inbox
from store.messages.ledger import Ledgers
from store.messages.receipts import ReceiptKey
from store.postgres.database import open_pool
from store.postgres.notifier import Doorbell


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
