"""Checks that every message acknowledged to a partner is stored once, in order, and accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Final

import asyncpg

from audit.replay import Pool
from audit.verification.report import Finding
from domain.kernel.event import NOWHERE
from store.crypto.keys import KeyStore
from store.log.mapper import TamperedError, open_body
from store.messages.inbox import SETTLED, place_of
from store.messages.ledger import EntrySeal, Ledger, LedgerSealError, genesis, linked
from store.messages.receipts import ReceiptKey, published

PAGE: Final = 1000
"""How many rows are read at a time."""

KNOWN: Final = SETTLED | {"pending"}


@dataclass
class LedgerCheck:
    """One check of all ledgers, with the counts of what was checked."""

    pool: Pool
    keys: KeyStore
    checked: Counter[str] = field(default_factory=Counter)

    async def findings(self) -> AsyncIterator[Finding]:
        """Yields every difference between ledgers, messages and receipts."""
        for partner_id in await Ledger(self.pool, self.keys).partners():
            async for finding in self._ledger(partner_id):
                yield finding
        async for finding in self._receipts():
            yield finding
        for row in await self.pool.fetch(_UNNUMBERED):
            detail = f"message {row['message_id']} was acknowledged but has no ledger number"
            yield _about(row["partner_id"], detail, "accounts")
        for row in await self.pool.fetch(_RESOLVED_BY_NOTHING):
            detail = f"message {row['message_id']} was resolved by a message that does not exist"
            yield _about(row["partner_id"], detail)
        async for finding in self._strays():
            yield finding
        self.checked.update(in_doubt=await self.pool.fetchval("SELECT count(*) FROM quarantine"))

    async def _ledger(self, partner_id: str) -> AsyncIterator[Finding]:
        """Checks one ledger in one snapshot: no gap in the numbers, hash chain, sealed entries, stored messages."""
        walk = _Walk(partner_id, EntrySeal(self.keys.master), genesis(partner_id))
        async with (
            self.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            head = await connection.fetchrow("SELECT seq, hash FROM ledger_heads WHERE partner_id = $1", partner_id)
            after, page = 0, list[asyncpg.Record]()
            while page := await connection.fetch(_ENTRIES, partner_id, after, PAGE):
                for row in page:
                    for finding in walk.step(row):
                        yield finding
                after = page[-1]["seq"]
        self.checked.update(ledgers=1, acknowledged=walk.seq)
        if head and (head["seq"], head["hash"]) != (walk.seq, walk.hash):
            yield _about(
                partner_id,
                f"the ledger head is at number {head['seq']}, but the entries end at {walk.seq} or their hash differs",
            )
        for day in await Ledger(self.pool, self.keys).days(partner_id):
            if day.unaccounted:
                detail = f"{day.day}: {day.sent} messages received, {day.accounted} accounted for"
                yield _about(partner_id, detail, "accounts")

    async def _receipts(self) -> AsyncIterator[Finding]:
        """Checks that the key that signs receipts is published, so that partners can verify them."""
        key, known = ReceiptKey(self.keys.master), await published(self.pool)
        if self.checked["acknowledged"] and known.get(key.kid) != key.public:
            detail = f"receipts are signed with key {key.kid}, whose published copy is missing or different"
            yield Finding("receipt", "", detail)

    async def _strays(self) -> AsyncIterator[Finding]:
        """Checks messages without a stream: each can be decrypted and has a result."""
        nowhere, after = await self.keys.keyring(NOWHERE), -1
        while page := await self.pool.fetch(_STRAYS, after, PAGE):
            for row in page:
                try:
                    open_body(nowhere, NOWHERE, place_of(row["message_id"]), row["body"])
                except (TamperedError, ValueError):
                    detail = f"message {row['message_id']}, which belongs to no case, was changed or moved"
                    yield Finding("seal", "", detail)
                if row["status"] == "pending":
                    detail = f"message {row['message_id']} belongs to no case and is still pending"
                    yield Finding("accounts", "", detail)
            after = page[-1]["arrival"]
            self.checked.update(strays=len(page))


@dataclass
class _Walk:
    """The position reached in one ledger."""

    partner_id: str
    seal: EntrySeal
    hash: bytes
    seq: int = 0

    def step(self, row: asyncpg.Record) -> Iterator[Finding]:
        seq, message_id, entry = row["seq"], row["message_id"], row["entry"]
        if seq != self.seq + 1:
            yield _about(self.partner_id, f"number {seq} found where number {self.seq + 1} was expected")
        if linked(self.hash, seq, message_id, row["received_at"], entry) != row["hash"]:
            yield _about(self.partner_id, f"number {seq}: the stored entry does not match its stored hash")
        self.seq, self.hash = seq, row["hash"]
        try:
            self.seal.open(self.partner_id, message_id, entry)
        except LedgerSealError as broken:
            yield _about(self.partner_id, f"number {seq}: {broken}")
        yield from self._message(row)

    def _message(self, row: asyncpg.Record) -> Iterator[Finding]:
        status, message = row["status"], f"number {row['seq']}, message {row['message_id']}"
        if status is None:
            yield _about(self.partner_id, f"{message}: the message is missing", "accounts")
        elif status not in KNOWN or (status in SETTLED and not (row["result"] and row["settled_at"])):
            yield _about(self.partner_id, f"{message}: its status is {status}, without a result", "accounts")
        elif (row["owner"], row["came_at"]) != (self.partner_id, row["received_at"]):
            detail = f"{message}: its sender or time of receipt differs from what was acknowledged"
            yield _about(self.partner_id, detail, "accounts")


def _about(partner_id: str, detail: str, kind: str = "ledger") -> Finding:
    return Finding(kind, "", f"{partner_id}: {detail}")


_ENTRIES = """
SELECT l.seq, l.message_id, l.entry, l.received_at, l.hash, i.status, i.result, i.settled_at, i.partner_id AS owner,
       i.received_at AS came_at
FROM ledger l LEFT JOIN inbox i USING (message_id) WHERE l.partner_id = $1 AND l.seq > $2 ORDER BY l.seq LIMIT $3
"""

_UNNUMBERED = """
SELECT message_id, partner_id FROM inbox i
WHERE name = 'partner.signal' AND NOT EXISTS (SELECT FROM ledger l WHERE l.message_id = i.message_id)
"""

_RESOLVED_BY_NOTHING = """
SELECT message_id, partner_id FROM inbox i
WHERE resolved_by IS NOT NULL AND NOT EXISTS (SELECT FROM inbox d WHERE d.message_id = i.resolved_by)
"""

_STRAYS = """
SELECT arrival, message_id, status, body FROM inbox WHERE stream_id IS NULL AND arrival > $1 ORDER BY arrival LIMIT $2
"""
