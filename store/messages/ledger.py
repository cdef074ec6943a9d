"""The ledgers of partners: accept messages in batches, number them per partner, account for each.

The numbers of a ledger have no gaps and become visible in order: a writer locks the head of the ledger until commit.
The partner's own message id and the digest of the message are encrypted under a key that belongs to no case, so that a
ledger stays readable when the keys of a case are destroyed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from os import urandom
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

import asyncpg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.kernel.event import NOWHERE
from store.crypto.keys import BODY, NONCE
from store.log.mapper import seal_body
from store.messages.inbox import message_id_for, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from store.crypto.keys import Keyring, KeyStore, MasterKey

    Pool = asyncpg.Pool[asyncpg.Record]

SIGNAL: Final = "partner.signal"

CONTRADICTION: Final = "partner.contradiction"

UNOPENED: Final = "AW003"

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

BLOCK: Final = 32  # entries are padded (bytes), so that their length reveals little

DISPOSITIONS: Final = ("applied", "ignored", "late", "quarantined", "refused")


@dataclass(frozen=True)
class PartnerMessage:
    """A message of a partner, to be accepted.

    ``body``: the message as the case reads it. ``sent``: the exact bytes received, by which a repetition is recognised.
    ``contradicts``: the earlier message with the same partner id and different content.
    """

    partner_id: str
    own_id: str
    token: str
    body: bytes
    sent: bytes
    actor: str
    source: str
    claimed_at: datetime | None = None
    statement: bool = False
    """Whether it is a statement of the person: any partner may send it, for any referral token that it knows."""
    contradicts: UUID | None = None
    barred: str | None = None
    """The reason why it must not reach a case without review, whatever token it quotes."""

    @cached_property
    def sha256(self) -> str:
        return sha256(self.sent).hexdigest()

    @cached_property
    def message_id(self) -> UUID:
        if self.contradicts is not None:
            return uuid5(self.contradicts, f"contradiction/{self.sha256}")
        return message_id_for(self.source, self.own_id)


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted message with its status. ``number``: its number in the ledger; a contradiction has none."""

    message_id: UUID
    repeated: bool
    conflicting: bool
    stream_id: UUID | None
    status: str
    result: dict[str, Any] | None
    received_at: datetime
    number: int | None
    ledger: bytes | None


@dataclass(frozen=True, slots=True)
class TokenTarget:
    """The stream and the partner that a referral token belongs to."""

    stream_id: UUID
    partner_id: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One decrypted entry of a ledger. ``contradicted``: the same id was used again, with different content."""

    number: int
    message_id: UUID
    own_id: str
    sha256: str
    received_at: datetime
    hash: bytes
    contradicted: bool = False

    @property
    def line(self) -> str:
        """Returns the line of this entry in the digest of a day."""
        return f"{self.number} {self.own_id} {self.sha256}\n"


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """The ledger of one day (UTC): ``sent`` by assigned numbers, the other counts by existing rows."""

    day: date
    first: int
    last: int
    sent: int
    applied: int
    ignored: int
    late: int
    quarantined: int
    refused: int
    pending: int
    conflicting: int

    @property
    def accounted(self) -> int:
        return self.applied + self.ignored + self.late + self.quarantined + self.refused + self.pending

    @property
    def unaccounted(self) -> int:
        """Returns how many messages were acknowledged but do not exist. Must be zero."""
        return self.sent - self.accounted


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """The head of a ledger: the last number, its hash, and when it was assigned (UTC)."""

    seq: int
    hash: bytes
    received_at: datetime


class LedgerSealError(ValueError):
    """An entry of a ledger was moved from another target, or was changed."""


class EntrySeal:
    """Encrypts the entries of ledgers, each bound to its partner and message."""

    def __init__(self, master: MasterKey) -> None:
        self._cipher = AESGCM(master.fingerprint(b"entries of ledgers"))

    def seal(self, partner_id: str, message_id: UUID, own_id: str, digest: str) -> bytes:
        plain = json.dumps({"id": own_id, "sha256": digest}).encode()
        padded, nonce = plain.ljust(-(-len(plain) // BLOCK) * BLOCK), urandom(NONCE)
        return nonce + self._cipher.encrypt(nonce, padded, _place(partner_id, message_id))

    def open(self, partner_id: str, message_id: UUID, entry: bytes) -> tuple[str, str]:
        """Returns the partner's own message id, and the digest. Raises ``LedgerSealError``."""
        try:
            plain = self._cipher.decrypt(entry[:NONCE], entry[NONCE:], _place(partner_id, message_id))
        except (InvalidTag, ValueError):
            raise LedgerSealError(
                f"The ledger entry of message {message_id} was moved there from another target, or was changed"
            ) from None
        entry_fields = json.loads(plain)
        return entry_fields["id"], entry_fields["sha256"]


class Ledger:
    """The ledgers of all partners, and the acceptance of their messages into the inbox."""

    def __init__(self, pool: Pool, keys: KeyStore) -> None:
        self._pool, self._keys = pool, keys
        self._seal = EntrySeal(keys.master)

    async def accept(self, signals: Sequence[PartnerMessage]) -> list[Accepted]:
        """Accepts messages in one statement: all or none. Their ids must be distinct."""
        targets = await self._places({signal.token for signal in signals})
        keyrings = await self._keys.body_keyrings({target.stream_id for target in targets.values()})
        nowhere = await self._keys.keyring(NOWHERE)
        rows = [self._row(signal, targets.get(signal.token), keyrings, nowhere) for signal in signals]
        found = {row["message_id"]: _accepted(row) for row in await self._write(rows)}
        return [found[signal.message_id] for signal in signals]

    async def head(self, partner_id: str) -> LedgerHead | None:
        """Returns the head of a ledger, or ``None`` if the partner never sent a message."""
        row = await self._pool.fetchrow(_HEAD, partner_id)
        return LedgerHead(*row) if row else None

    async def entries(self, partner_id: str, after: int = 0, limit: int = 500) -> list[LedgerEntry]:
        """Returns the entries after a number, in order; new entries only follow later. Raises ``LedgerSealError``."""
        found = await self._pool.fetch(_ENTRIES, partner_id, after, limit)
        return [self._entry(partner_id, row) for row in found]

    async def days(self, partner_id: str, since: date | None = None, until: date | None = None) -> list[LedgerDay]:
        """Returns the counts of each day (UTC) with messages, oldest first."""
        return [LedgerDay(*row) for row in await self._pool.fetch(_DAYS, partner_id, since, until)]

    async def digest(self, partner_id: str, day: LedgerDay) -> str:
        """Returns the SHA-256 of the lines of a day, which the partner can compute from its messages and receipts."""
        digest, after = sha256(), day.first - 1
        while after < day.last:
            page = await self.entries(partner_id, after, min(1000, day.last - after))
            if not page:
                break
            digest.update("".join(entry.line for entry in page).encode())
            after = page[-1].number
        return digest.hexdigest()

    async def partners(self) -> list[str]:
        """Returns the ids of all partners that have a ledger."""
        return [row[0] for row in await self._pool.fetch("SELECT partner_id FROM ledger_heads ORDER BY partner_id")]

    async def _places(self, tokens: Iterable[str]) -> dict[str, TokenTarget]:
        return {row[0]: TokenTarget(row[1], row[2]) for row in await self._pool.fetch(_PLACES, list(tokens))}

    def _row(
        self, signal: PartnerMessage, target: TokenTarget | None, keyrings: Mapping[UUID, Keyring], nowhere: Keyring
    ) -> tuple[Any, ...]:
        keyring, cause = _destination(signal, target, keyrings)
        result = None if cause is None else json.dumps({"cause": cause, "status": "quarantined"})
        stream_id = NOWHERE if keyring is None else keyring.stream_id
        return (
            *(signal.partner_id, signal.message_id, None if keyring is None else stream_id),
            CONTRADICTION if signal.contradicts else SIGNAL,
            seal_body(keyring or nowhere, stream_id, place_of(signal.message_id), signal.body),
            self._keys.master.fingerprint(SIGNAL.encode(), signal.sent),
            *(signal.actor, signal.source, signal.claimed_at, "quarantined" if cause else "pending", result),
            token_hash(self._keys.master, signal.partner_id, signal.token)
            if target is None and not signal.barred
            else None,
            signal.contradicts,
            None if signal.contradicts else self._sealed(signal),
        )

    def _sealed(self, signal: PartnerMessage) -> bytes:
        return self._seal.seal(signal.partner_id, signal.message_id, signal.own_id, signal.sha256)

    async def _write(self, rows: Sequence[tuple[Any, ...]]) -> list[asyncpg.Record]:
        columns = [list(column) for column in zip(*rows, strict=True)]
        try:
            return await self._pool.fetch(_ACCEPT, *columns)
        except asyncpg.PostgresError as refused:
            if refused.sqlstate != UNOPENED:
                raise
        await self._pool.execute("SELECT open_ledgers($1)", columns[0])
        return await self._pool.fetch(_ACCEPT, *columns)

    def _entry(self, partner_id: str, row: asyncpg.Record) -> LedgerEntry:
        seq, message_id, entry, received_at, digest, contradicted = row
        own_id, body_digest = self._seal.open(partner_id, message_id, entry)
        return LedgerEntry(seq, message_id, own_id, body_digest, received_at, digest, contradicted)


def token_hash(master: MasterKey, partner_id: str, token: str) -> bytes:
    """Returns a digest that matches a message to a token issued later. Keyed, so that it reveals no token."""
    return master.fingerprint(b"token of a referral", partner_id.encode(), token.encode())


def genesis(partner_id: str) -> bytes:
    """Returns the hash of an empty ledger."""
    return sha256(partner_id.encode()).digest()


def linked(before: bytes, seq: int, message_id: UUID, received_at: datetime, entry: bytes) -> bytes:
    """Returns the hash of a ledger after one more entry, given the hash before it."""
    microseconds = (received_at - EPOCH) // timedelta(microseconds=1)
    row = seq.to_bytes(8, "big") + message_id.bytes + microseconds.to_bytes(8, "big", signed=True) + entry
    return sha256(before + row).digest()


def _destination(
    signal: PartnerMessage, target: TokenTarget | None, keyrings: Mapping[UUID, Keyring]
) -> tuple[Keyring | None, str | None]:
    """Returns the keyring of the target case, or the reason for quarantine. The partner learns neither."""
    if signal.barred:
        return None, signal.barred
    keyring = keyrings.get(target.stream_id) if target else None
    cause = _quarantine_cause(signal, target, keyring)
    if cause is None:
        return keyring, None
    return None, "CONFLICTING_DUPLICATE" if signal.contradicts else cause


def _quarantine_cause(signal: PartnerMessage, target: TokenTarget | None, keyring: Keyring | None) -> str | None:
    if target is None:
        return "UNKNOWN_TOKEN"
    if target.partner_id != signal.partner_id and not signal.statement:
        return "FOREIGN_TOKEN"
    return "ERASED" if keyring is None or keyring.key(BODY) is None else None


def _place(partner_id: str, message_id: UUID) -> bytes:
    return f"{partner_id}|{message_id}".encode()


def _accepted(row: asyncpg.Record) -> Accepted:
    message_id, repeated, conflicting, stream_id, status, result, received_at, seq, digest = row
    return Accepted(message_id, repeated, conflicting, stream_id, status, _json(result), received_at, seq, digest)


def _json(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)


_ACCEPT = "SELECT * FROM take_signals($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"

_PLACES = "SELECT token, stream_id, partner_id FROM referral_tokens WHERE token = ANY ($1)"

_HEAD = "SELECT seq, hash, received_at FROM ledger_heads WHERE partner_id = $1 AND seq > 0"

_ENTRIES = """
SELECT l.seq, l.message_id, l.entry, l.received_at, l.hash,
       EXISTS (SELECT FROM inbox c WHERE c.contradicts = l.message_id)
FROM ledger l WHERE l.partner_id = $1 AND l.seq > $2 ORDER BY l.seq LIMIT $3
"""

_DAYS = """
WITH numbered AS (
    SELECT l.seq, (l.received_at AT TIME ZONE 'UTC')::date AS day, i.status,
           EXISTS (SELECT FROM inbox c WHERE c.contradicts = l.message_id) AS contradicted
    FROM ledger l LEFT JOIN inbox i ON i.message_id = l.message_id AND i.partner_id = l.partner_id
    WHERE l.partner_id = $1
    UNION ALL  -- the head knows how many there must be, also if the last ones are gone
    SELECT h.seq, (h.received_at AT TIME ZONE 'UTC')::date, NULL, false FROM ledger_heads h
    WHERE h.partner_id = $1 AND h.seq > (SELECT coalesce(max(seq), 0) FROM ledger WHERE partner_id = $1)
), daily AS (
    SELECT day, min(seq) AS first, max(seq) AS last,
           count(*) FILTER (WHERE status = 'applied') AS applied,
           count(*) FILTER (WHERE status = 'ignored') AS ignored,
           count(*) FILTER (WHERE status = 'late') AS late,
           count(*) FILTER (WHERE status = 'quarantined') AS quarantined,
           count(*) FILTER (WHERE status = 'refused') AS refused,
           count(*) FILTER (WHERE status = 'pending') AS pending,
           count(*) FILTER (WHERE contradicted) AS conflicting
    FROM numbered GROUP BY day
), counted AS (
    SELECT *, last - coalesce(lag(last) OVER (ORDER BY day), 0) AS sent FROM daily
)
SELECT day, first, last, sent, applied, ignored, late, quarantined, refused, pending, conflicting FROM counted
WHERE ($2::date IS NULL OR day >= $2) AND ($3::date IS NULL OR day <= $3) ORDER BY day
"""
