"""What partners sent: taken in many at a time, numbered in each partner's own ledger, accounted for to the last one.

A ledger's numbers have no gap, and are seen in their order: whoever adds to a ledger holds its head until the commit.
What the partner called its message, and the digest of what it sent, are sealed under a key of their own,
so that they say the same whatever becomes of a case.
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

BLOCK: Final = 32  # sealed entries are padded, so that their length tells little

DISPOSITIONS: Final = ("applied", "ignored", "late", "quarantined", "refused")


@dataclass(frozen=True)
class PartnerMessage:
    """A message of a partner, as it is to be kept.

    ``body`` is what a case reads, ``sent`` what came in, to the byte: a message is known again by it.
    ``contradicts`` names the message under whose id something else is said here.
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
    """The person's own word through a partner: any partner may bring it to the case of any token it knows."""
    contradicts: UUID | None = None
    barred: str | None = None
    """Why it must not reach a case by itself, whatever token it quotes."""

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
    """What became of a message so far. ``number`` is its place in the ledger; a contradiction has none."""

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
    """Where a token leads."""

    stream_id: UUID
    partner_id: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of a ledger, opened. ``contradicted``: the same id was used again, for something else."""

    number: int
    message_id: UUID
    own_id: str
    sha256: str
    received_at: datetime
    hash: bytes
    contradicted: bool = False

    @property
    def line(self) -> str:
        """As the digest of a day takes it."""
        return f"{self.number} {self.own_id} {self.sha256}\n"


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """A partner's account of one day (UTC): ``sent`` by the numbers given out, the rest by the rows there are."""

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
        """Acknowledged, and not there. Always nought."""
        return self.sent - self.accounted


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """Where a ledger stands."""

    seq: int
    hash: bytes
    received_at: datetime


class LedgerSealError(ValueError):
    """A ledger's entry that was not sealed there, or was changed."""


class EntrySeal:
    """Seals what a ledger says of a message, for one partner and one message."""

    def __init__(self, master: MasterKey) -> None:
        self._cipher = AESGCM(master.fingerprint(b"entries of ledgers"))

    def seal(self, partner_id: str, message_id: UUID, own_id: str, digest: str) -> bytes:
        plain = json.dumps({"id": own_id, "sha256": digest}).encode()
        padded, nonce = plain.ljust(-(-len(plain) // BLOCK) * BLOCK), urandom(NONCE)
        return nonce + self._cipher.encrypt(nonce, padded, _place(partner_id, message_id))

    def open(self, partner_id: str, message_id: UUID, entry: bytes) -> tuple[str, str]:
        """The partner's id and the digest. Raises ``LedgerSealError``."""
        try:
            plain = self._cipher.decrypt(entry[:NONCE], entry[NONCE:], _place(partner_id, message_id))
        except (InvalidTag, ValueError):
            raise LedgerSealError(f"the entry of message {message_id} in a ledger was not sealed there") from None
        said = json.loads(plain)
        return said["id"], said["sha256"]


class Ledger:
    """The partners' ledgers, and the inbox as far as partners fill it."""

    def __init__(self, pool: Pool, keys: KeyStore) -> None:
        self._pool, self._keys = pool, keys
        self._seal = EntrySeal(keys.master)

    async def take(self, signals: Sequence[PartnerMessage]) -> list[Accepted]:
        """Take messages in, in one statement: all of them, or none. Their ids differ from one another."""
        places = await self._places({signal.token for signal in signals})
        rings = await self._keys.body_keyrings({place.stream_id for place in places.values()})
        nowhere = await self._keys.keyring(NOWHERE)
        rows = [self._row(signal, places.get(signal.token), rings, nowhere) for signal in signals]
        found = {row["message_id"]: _taken(row) for row in await self._write(rows)}
        return [found[signal.message_id] for signal in signals]

    async def head(self, partner_id: str) -> LedgerHead | None:
        """Where a ledger stands; ``None`` if the partner never sent anything."""
        row = await self._pool.fetchrow(_HEAD, partner_id)
        return LedgerHead(*row) if row else None

    async def entries(self, partner_id: str, after: int = 0, limit: int = 500) -> list[LedgerEntry]:
        """The lines behind a number, in order; what comes later is behind what was read. Raises ``LedgerSealError``."""
        found = await self._pool.fetch(_ENTRIES, partner_id, after, limit)
        return [self._entry(partner_id, row) for row in found]

    async def days(self, partner_id: str, since: date | None = None, until: date | None = None) -> list[LedgerDay]:
        """The account of each day on which something was sent, oldest first."""
        return [LedgerDay(*row) for row in await self._pool.fetch(_DAYS, partner_id, since, until)]

    async def digest(self, partner_id: str, day: LedgerDay) -> str:
        """SHA-256 over the lines of a day, which the partner can compute from what it sent and its receipts."""
        digest, after = sha256(), day.first - 1
        while after < day.last:
            page = await self.entries(partner_id, after, min(1000, day.last - after))
            if not page:
                break
            digest.update("".join(entry.line for entry in page).encode())
            after = page[-1].number
        return digest.hexdigest()

    async def partners(self) -> list[str]:
        """Whoever has a ledger, by id."""
        return [row[0] for row in await self._pool.fetch("SELECT partner_id FROM ledger_heads ORDER BY partner_id")]

    async def _places(self, tokens: Iterable[str]) -> dict[str, TokenTarget]:
        return {row[0]: TokenTarget(row[1], row[2]) for row in await self._pool.fetch(_PLACES, list(tokens))}

    def _row(
        self, signal: PartnerMessage, place: TokenTarget | None, rings: Mapping[UUID, Keyring], nowhere: Keyring
    ) -> tuple[Any, ...]:
        ring, cause = _destination(signal, place, rings)
        told = None if cause is None else json.dumps({"cause": cause, "status": "quarantined"})
        stream_id = NOWHERE if ring is None else ring.stream_id
        return (
            *(signal.partner_id, signal.message_id, None if ring is None else stream_id),
            CONTRADICTION if signal.contradicts else SIGNAL,
            seal_body(ring or nowhere, stream_id, place_of(signal.message_id), signal.body),
            self._keys.master.fingerprint(SIGNAL.encode(), signal.sent),
            *(signal.actor, signal.source, signal.claimed_at, "quarantined" if cause else "pending", told),
            token_hash(self._keys.master, signal.partner_id, signal.token)
            if place is None and not signal.barred
            else None,
            signal.contradicts,
            None if signal.contradicts else self._sealed(signal),
        )

    def _sealed(self, signal: PartnerMessage) -> bytes:
        return self._seal.seal(signal.partner_id, signal.message_id, signal.own_id, signal.sha256)

    async def _write(self, rows: Sequence[tuple[Any, ...]]) -> list[asyncpg.Record]:
        columns = [list(column) for column in zip(*rows, strict=True)]
        try:
            return await self._pool.fetch(_TAKE, *columns)
        except asyncpg.PostgresError as refused:
            if refused.sqlstate != UNOPENED:
                raise
        await self._pool.execute("SELECT open_ledgers($1)", columns[0])
        return await self._pool.fetch(_TAKE, *columns)

    def _entry(self, partner_id: str, row: asyncpg.Record) -> LedgerEntry:
        seq, message_id, entry, received_at, digest, contradicted = row
        own_id, body_digest = self._seal.open(partner_id, message_id, entry)
        return LedgerEntry(seq, message_id, own_id, body_digest, received_at, digest, contradicted)


def token_hash(master: MasterKey, partner_id: str, token: str) -> bytes:
    """By what a message finds its case when that comes later. Keyed, so that nobody can guess a token from it."""
    return master.fingerprint(b"token of a referral", partner_id.encode(), token.encode())


def genesis(partner_id: str) -> bytes:
    """The digest of a ledger without entries."""
    return sha256(partner_id.encode()).digest()


def linked(before: bytes, seq: int, message_id: UUID, received_at: datetime, entry: bytes) -> bytes:
    """The digest of a ledger with one entry more."""
    moment = (received_at - EPOCH) // timedelta(microseconds=1)
    row = seq.to_bytes(8, "big") + message_id.bytes + moment.to_bytes(8, "big", signed=True) + entry
    return sha256(before + row).digest()


def _destination(
    signal: PartnerMessage, place: TokenTarget | None, rings: Mapping[UUID, Keyring]
) -> tuple[Keyring | None, str | None]:
    """The case a message goes to, or why a person must look at it first. The partner is told neither."""
    if signal.barred:
        return None, signal.barred
    ring = rings.get(place.stream_id) if place else None
    cause = _doubt(signal, place, ring)
    if cause is None:
        return ring, None
    return None, "CONFLICTING_DUPLICATE" if signal.contradicts else cause


def _doubt(signal: PartnerMessage, place: TokenTarget | None, ring: Keyring | None) -> str | None:
    if place is None:
        return "UNKNOWN_TOKEN"
    if place.partner_id != signal.partner_id and not signal.statement:
        return "FOREIGN_TOKEN"
    return "ERASED" if ring is None or ring.key(BODY) is None else None


def _place(partner_id: str, message_id: UUID) -> bytes:
    return f"{partner_id}|{message_id}".encode()


def _taken(row: asyncpg.Record) -> Accepted:
    message_id, repeated, conflicting, stream_id, status, result, received_at, seq, digest = row
    return Accepted(message_id, repeated, conflicting, stream_id, status, _json(result), received_at, seq, digest)


def _json(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)


_TAKE = "SELECT * FROM take_signals($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"

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
