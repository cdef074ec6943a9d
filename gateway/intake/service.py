"""The desk: where staff and partners hand messages in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from gateway.intake.batching import BatchWriter
from gateway.intake.partners import PartnerIntake
from gateway.intake.signature_verifier import SignatureVerifier
from gateway.intake.staff import StaffIntake
from store.crypto.keys import KeyStore, MasterKey
from store.messages.inbox import Inbox
from store.messages.ledger import Ledger
from store.messages.receipts import ReceiptKey
from store.postgres.database import open_pool
from store.postgres.notifier import Notifier


class Intake(StaffIntake, PartnerIntake):
    """Where messages are handed in."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], keys: KeyStore, notifier: Notifier) -> None:
        self.pool, self.keys, self.notifier = pool, keys, notifier
        self.inbox, self.ledgers = Inbox(pool, keys), Ledger(pool, keys)
        self.signers, self.receipt_key = SignatureVerifier(pool, keys.master), ReceiptKey(keys.master)
        self.gathering = BatchWriter(self.ledgers.accept)
        self._key_is_known = False


@asynccontextmanager
async def open_intake(dsn: str, master_key: bytes) -> AsyncIterator[Intake]:
    """A desk of one's own, for a command or a demo. What was rung for is sent before it closes."""
    pool = await open_pool(dsn)
    try:
        async with Notifier(dsn) as notifier:
            yield Intake(pool, KeyStore(pool, MasterKey(master_key)), notifier)
    finally:
        await pool.close()
