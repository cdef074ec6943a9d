"""Whether every message acknowledged to a partner is there, once, in its order, and accounted for."""

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

KNOWN: Final = SETTLED | {"pending"}


@dataclass
class LedgerCheck:
    """One look at all ledgers."""

    pool: Pool
    keys: KeyStore
    checked: Counter[str] = field(default_factory=Counter)

    async def findings(self) -> AsyncIterator[Finding]:
        """Everything in which ledgers, messages and receipts disagree."""
        for partner_id in await Ledger(self.pool, self.keys).partners():
            async for finding in self._ledger(partner_id):
                yield finding
        async for finding in self._receipts():
            yield finding
        for row in await self.pool.fetch(_UNNUMBERED):
            yield _about(
                row["partner_id"], f"message {row['message_id']} was acknowledged and has no number", "accounts"
            )
        for row in await self.pool.fetch(_RESOLVED_BY_NOTHING):
            yield _about(row["partner_id"], f"message {row['message_id']} was decided by a message that is not there")
        async for finding in self._strays():
            yield finding
        self.checked.update(in_doubt=await self.pool.fetchval("SELECT count(*) FROM quarantine"))

    async def _ledger(self, partner_id: str) -> AsyncIterator[Finding]:
        """One ledger in one snapshot: numbered without a gap, linked, sealed, and every message behind it."""
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
                partner_id, f"the head stands at number {head['seq']}, the entries end at {walk.seq} or differ"
            )
        for day in await Ledger(self.pool, self.keys).days(partner_id):
            if day.unaccounted:
                yield _about(partner_id, f"{day.day}: {day.sent} sent, {day.accounted} accounted for", "accounts")

    async def _receipts(self) -> AsyncIterator[Finding]:
        """Partners can check their receipts: the key that signs them is published."""
        key, known = ReceiptKey(self.keys.master), await published(self.pool)
        if self.checked["acknowledged"] and known.get(key.kid) != key.public:
            yield Finding("receipt", "", f"receipts are signed with {key.kid}, which is not published as it is")

    async def _strays(self) -> AsyncIterator[Finding]:
        """Messages without a stream: each opens, and is settled with a result."""
        nowhere, after = await self.keys.keyring(NOWHERE), -1
        while page := await self.pool.fetch(_STRAYS, after, PAGE):
            for row in page:
                try:
                    open_body(nowhere, NOWHERE, place_of(row["message_id"]), row["body"])
                except (TamperedError, ValueError):
                    yield Finding("seal", "", f"message {row['message_id']}, of no case, was changed or moved here")
                if row["status"] == "pending":
                    yield Finding("accounts", "", f"message {row['message_id']} is pending, and for no case")
            after = page[-1]["arrival"]
            self.checked.update(strays=len(page))


@dataclass
class _Walk:
    """How far one ledger has been followed."""

    partner_id: str
    seal: EntrySeal
    hash: bytes
    seq: int = 0

    def step(self, row: asyncpg.Record) -> Iterator[Finding]:
        seq, message_id, entry = row["seq"], row["message_id"], row["entry"]
        if seq != self.seq + 1:
            yield _about(self.partner_id, f"number {seq} stands where {self.seq + 1} should")
        if linked(self.hash, seq, message_id, row["received_at"], entry) != row["hash"]:
            yield _about(self.partner_id, f"number {seq}: the stored bytes do not give the stored hash")
        self.seq, self.hash = seq, row["hash"]
        try:
            self.seal.open(self.partner_id, message_id, entry)
        except LedgerSealError as broken:
            yield _about(self.partner_id, f"number {seq}: {broken}")
        yield from self._message(row)

    def _message(self, row: asyncpg.Record) -> Iterator[Finding]:
        status, what = row["status"], f"number {row['seq']}, message {row['message_id']}"
        if status is None:
            yield _about(self.partner_id, f"{what}: it is gone", "accounts")
        elif status not in KNOWN or (status in SETTLED and not (row["result"] and row["settled_at"])):
            yield _about(self.partner_id, f"{what}: it is {status} without a result", "accounts")
        elif (row["owner"], row["came_at"]) != (self.partner_id, row["received_at"]):
            yield _about(self.partner_id, f"{what}: its sender or its time is not what was acknowledged", "accounts")


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
