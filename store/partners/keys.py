"""The keys by which partners are known, and those we sign with.

Inbound keys know a partner's messages: shared secrets (``v1``) or its public keys (``v1a``). Outbound keys sign ours:
shared secrets again, or private keys of our own. One never stands in for the other. Secrets are sealed here under the
master key. Keys count by the real clock, not the programme's; who changed what is kept beside their partners.
"""

from __future__ import annotations

import logging
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from os import urandom
from typing import TYPE_CHECKING, Final, TypeAlias
from uuid import uuid4

import asyncpg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.kernel.vocabulary import ReferralKind, SignalType
from domain.referral.key_scope import UNLIMITED, KeyScope
from store.crypto.keys import NONCE, InvalidMasterKeyError
from store.crypto.webhook_signatures import (
    PRIVATE,
    PUBLIC,
    SECRET,
    SIGNATURES,
    TOLERANCE_S,
    InvalidKeyError,
    fitting,
    key_bytes,
    new_pair,
    new_secret,
)
from store.partners.registry import SYSTEM, changing, get, note_change

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from asyncpg.pool import PoolConnectionProxy

    from store.crypto.keys import MasterKey

    Pool = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]

log = logging.getLogger("awda.partners")

_NOBODY: Final = (new_secret(), new_pair()[1])

LIVE_AT_ONCE: Final = 2
"""Keys of one direction and scope that may count at the same time: the old one and the one that replaces it."""

GRACE: Final = timedelta(days=7)
"""How long a key goes on counting after it was replaced: time to hand over the new one by a safe way."""

NOTICED_EVERY: Final = timedelta(hours=1)


class UnknownKeyError(LookupError):
    """No key has this id."""


class TooManyKeysError(Exception):
    """Two keys of this direction and scope count already."""


class KeyEndedError(Exception):
    """A key that counts no longer cannot be replaced."""


class Direction(StrEnum):
    """What a key is for: to know what a partner sends, or to sign what it is sent."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class PartnerKey:
    """A key that is in force; ``text`` is in the form of ``store.crypto.webhook_signatures``.

    An outbound ``v1a`` key is our private key.
    """

    key_id: str
    partner_id: str
    algorithm: str
    text: str = field(repr=False)
    direction: Direction = Direction.INBOUND
    scope: KeyScope = UNLIMITED
    last_used_at: datetime | None = None
    tolerance_s: int = TOLERANCE_S


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key as the registry shows it: everything but what is secret. ``public`` is a whole ``whpk_`` key."""

    key_id: str
    partner_id: str
    direction: Direction
    algorithm: str
    public: str | None
    scope: KeyScope
    valid_from: datetime
    valid_until: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaces: str | None

    def state(self, now: datetime) -> str:
        """``waiting``, ``live``, ``ending``, ``ended`` or ``revoked`` at a moment of the real clock."""
        if self.revoked_at is not None:
            return "revoked"
        if self.valid_until is not None:
            return "ended" if self.valid_until <= now else "ending"
        return "live" if self.valid_from <= now else "waiting"


@dataclass(frozen=True, slots=True)
class OutboundKeys:
    """Where a partner is written to, and the keys we sign with: two while one is being replaced."""

    url: str
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def secret(self) -> str:
        """The newest of the keys."""
        return self.secrets[0]


# Keys


async def add_key(
    pool: Pool,
    master: MasterKey,
    partner_id: str,
    key: str,
    *,
    direction: Direction = Direction.INBOUND,
    scope: KeyScope = UNLIMITED,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
    by: str = SYSTEM,
) -> str:
    """Let a key count: ``whsec_…`` either way, ``whpk_…`` of a partner, ``whsk_…`` of ours. Returns the key's id.

    Raises ``InvalidKeyError``, ``TooManyKeysError`` and ``UnknownPartner``.
    """
    new = _New(partner_id, key, direction, scope, valid_from, valid_until)
    async with changing(pool, partner_id) as connection:
        return await _enter(connection, master, new, by)


async def rotate_key(
    pool: Pool, master: MasterKey, key_id: str, key: str, *, grace: timedelta = GRACE, by: str = SYSTEM
) -> str:
    """Replace a key by one of the same direction and scope; the old one counts for the grace, then ends by itself.

    Returns the new key's id. Raises ``InvalidKeyError``, ``KeyEndedError``, ``TooManyKeysError`` and
    ``UnknownKeyError``.
    """
    old = await key_entry(pool, key_id)
    new = _New(old.partner_id, key, old.direction, old.scope, replaces=key_id)
    async with changing(pool, old.partner_id) as connection:
        ends = await connection.fetchval(_END, key_id, grace)
        if ends is None:
            raise KeyEndedError(f"{key_id} counts no longer: add a new key instead of replacing it")
        new_id = await _enter(connection, master, new, by)
        await note_change(
            connection, by, "key replaced", old.partner_id, key_id, replaced_by=new_id, ends=ends.isoformat()
        )
        return new_id


async def revoke_key(pool: Pool, key_id: str, *, by: str = SYSTEM) -> bool:
    """Accept a key no longer. Whether there was such a key that had not been revoked.

    A gateway keeps keys in mind: it may still take what the key signed for up to two seconds.
    """
    async with changing(pool) as connection:
        partner_id = await connection.fetchval(_REVOKE, key_id)
        if partner_id is None:
            return False
        await note_change(connection, by, "key revoked", partner_id, key_id)
        return True


async def key_entry(pool: Pool, key_id: str) -> KeyEntry:
    """A key as the registry shows it. Raises ``UnknownKeyError``."""
    row = await pool.fetchrow(_ENTRIES + " WHERE key_id = $1", key_id)
    if row is None:
        raise UnknownKeyError(f"there is no key {key_id[:64]!r}: see the keys of its partner")
    return _entry(row)


async def key_entries(pool: Pool, partner_id: str) -> list[KeyEntry]:
    """All keys a partner ever had, newest first."""
    return [_entry(row) for row in await pool.fetch(_ENTRIES + _OF_PARTNER, partner_id)]


async def keys_of(
    pool: Pool,
    master: MasterKey,
    partner_id: str,
    *,
    resting: bool = False,
    direction: Direction = Direction.INBOUND,
) -> list[PartnerKey]:
    """The keys of an active partner that are in force, newest first; none for one that nobody knows.

    ``resting``: also those of a partner that is not active now.
    """
    return [_key(master, row) for row in await pool.fetch(_KEYS, partner_id, resting, direction)]


def signers(keys: Sequence[PartnerKey], headers: Mapping[str, str], body: bytes, now: float) -> tuple[PartnerKey, ...]:
    """Which of a partner's inbound keys signed this, by the clock its signatures may have. Raises nothing.

    ``now`` is seconds of the real clock. A partner that has no keys costs as much time as one that has.
    """
    within = max((key.tolerance_s for key in keys), default=TOLERANCE_S)
    fits = fitting([key.text for key in keys] or _NOBODY, headers, body, now, within)
    return tuple(key for key, fit in zip(keys, fits, strict=False) if fit)


async def notice(pool: Pool, keys: Iterable[PartnerKey]) -> None:
    """Remember, once an hour, that these keys are in use: who replaces a key must know when the old one fell silent."""
    now = datetime.now(UTC)  # noqa: TID251 (only to save a statement; the database decides)
    stale = [k.key_id for k in keys if k.last_used_at is None or now - k.last_used_at > NOTICED_EVERY]
    if stale:
        await pool.execute(_NOTICE, stale, NOTICED_EVERY)


async def every_key(pool: Pool, master: MasterKey) -> dict[str, list[PartnerKey]]:
    """The keys in force of every active partner, newest first, by partner: what a gateway keeps for a moment."""
    found: dict[str, list[PartnerKey]] = {}
    everybody, resting = None, False
    for row in await pool.fetch(_KEYS, everybody, resting, Direction.INBOUND):
        try:
            found.setdefault(row[1], []).append(_key(master, row))
        except InvalidMasterKeyError as bad:
            log.error("%s", bad)  # noqa: TRY400 (one bad key must keep nobody else out)
    return found


async def outbound(pool: Pool, master: MasterKey, partner_id: str) -> OutboundKeys | None:
    """Where a partner listens, or ``None`` if it has no receiver or there is no key to sign with."""
    partner = await get(pool, partner_id)
    if partner is None or not partner.active or not partner.receiver_url:
        return None
    keys = await keys_of(pool, master, partner_id, direction=Direction.OUTBOUND)
    return OutboundKeys(partner.receiver_url, tuple(key.text for key in keys[:SIGNATURES])) if keys else None


# Changing them


@dataclass(frozen=True, slots=True)
class _New:
    """A key to be entered. Raises ``InvalidKeyError`` for one that cannot be used this way round."""

    partner_id: str
    key: str = field(repr=False)
    direction: Direction
    scope: KeyScope
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    replaces: str | None = None

    def __post_init__(self) -> None:
        key_bytes(self.key)
        inbound = self.direction is Direction.INBOUND
        if inbound and self.key.startswith(PRIVATE):
            raise InvalidKeyError(f"a partner's {PRIVATE} key stays with the partner: register its {PUBLIC} half")
        if not inbound and self.key.startswith(PUBLIC):
            raise InvalidKeyError(
                f"a {PUBLIC} key only knows signatures: what goes out is signed with {SECRET} or {PRIVATE}"
            )
        if not inbound and self.scope.limited:
            raise InvalidKeyError("only an inbound key is limited to kinds and signals")
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise InvalidKeyError("a key cannot end before it begins")

    @property
    def algorithm(self) -> str:
        return "v1" if self.key.startswith(SECRET) else "v1a"


async def _enter(connection: Connection, master: MasterKey, new: _New, by: str) -> str:
    key_id = f"key-{uuid4().hex[:12]}"
    kinds, signals = _words(new.scope.kinds), _words(new.scope.signals)
    if await connection.fetchval(_LIVE, new.partner_id, new.direction, kinds, signals) >= LIVE_AT_ONCE:
        raise TooManyKeysError(
            f"{LIVE_AT_ONCE} {new.direction} keys of {new.partner_id} for the same things count already:"
            " revoke one, or wait until the one that was replaced ends"
        )
    public, secret = _parts(master, new, key_id)
    columns = (new.algorithm, public, secret, new.direction, kinds, signals, new.valid_from, new.valid_until)
    await connection.execute(_ADD_KEY, key_id, new.partner_id, *columns, new.replaces)
    told = {"direction": new.direction, "algorithm": new.algorithm, "kinds": kinds, "signals": signals}
    await note_change(connection, by, "key added", new.partner_id, key_id, **told)
    return key_id


def _parts(master: MasterKey, new: _New, key_id: str) -> tuple[bytes | None, bytes | None]:
    """What is stored: the public part as it is, the secret part sealed."""
    raw = key_bytes(new.key)
    if new.key.startswith(PUBLIC):
        return raw, None
    sealed = _seal(master, _place(new.partner_id, key_id, new.direction), raw)
    if new.key.startswith(SECRET):
        return None, sealed
    return Ed25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw(), sealed


def _key(master: MasterKey, row: asyncpg.Record) -> PartnerKey:
    key_id, partner_id, algorithm, public, sealed, direction, kinds, signals, last_used_at, tolerance_s = row
    way = Direction(direction)
    raw = public if sealed is None else _open(master, _place(partner_id, key_id, way), sealed)
    prefix = SECRET if algorithm == "v1" else PUBLIC if sealed is None else PRIVATE
    text = prefix + b64encode(raw).decode()
    return PartnerKey(key_id, partner_id, algorithm, text, way, _scope(kinds, signals), last_used_at, tolerance_s)


def _entry(row: asyncpg.Record) -> KeyEntry:
    key_id, partner_id, direction, algorithm, public, kinds, signals, *rest = row
    shown = None if public is None else PUBLIC + b64encode(public).decode()
    return KeyEntry(key_id, partner_id, Direction(direction), algorithm, shown, _scope(kinds, signals), *rest)


def _scope(kinds: Sequence[str] | None, signals: Sequence[str] | None) -> KeyScope:
    """The scope as stored; a word that this programme does not know permits nothing."""
    return KeyScope(
        None if kinds is None else frozenset(ReferralKind(k) for k in kinds if k in ReferralKind.__members__),
        None if signals is None else frozenset(SignalType(s) for s in signals if s in SignalType.__members__),
    )


def _words(words: Iterable[str] | None) -> list[str] | None:
    return None if words is None else sorted(words)


def _cipher(master: MasterKey) -> AESGCM:
    return AESGCM(master.fingerprint(b"secrets shared with partners"))


def _place(partner_id: str, key_id: str, direction: Direction) -> str:
    """Where a secret is sealed to: one that was sealed for one direction opens in no other."""
    return f"{partner_id}|{key_id}" + ("" if direction is Direction.INBOUND else f"|{direction}")


def _seal(master: MasterKey, place: str, raw: bytes) -> bytes:
    nonce = urandom(NONCE)
    return nonce + _cipher(master).encrypt(nonce, raw, place.encode())


def _open(master: MasterKey, place: str, sealed: bytes) -> bytes:
    try:
        return _cipher(master).decrypt(sealed[:NONCE], sealed[NONCE:], place.encode())
    except (InvalidTag, ValueError):
        msg = f"the key {place} was not sealed by this master key: check AWDA_MASTER_KEY"
        raise InvalidMasterKeyError(msg) from None


_ADD_KEY = """
INSERT INTO partner_keys (key_id, partner_id, algorithm, public, secret, direction, kinds, signals,
                          valid_from, valid_until, replaces)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, coalesce($9, clock_timestamp()), $10, $11)
"""

_UNENDED = "revoked_at IS NULL AND (valid_until IS NULL OR valid_until > clock_timestamp())"

_LIVE = f"""
SELECT count(*) FROM partner_keys
WHERE partner_id = $1 AND direction = $2 AND kinds IS NOT DISTINCT FROM $3 AND signals IS NOT DISTINCT FROM $4
  AND {_UNENDED}
"""  # noqa: S608

_END = f"""
UPDATE partner_keys SET valid_until = least(valid_until, clock_timestamp() + $2::interval)
WHERE key_id = $1 AND {_UNENDED} RETURNING valid_until
"""  # noqa: S608

_REVOKE = """
UPDATE partner_keys SET revoked_at = clock_timestamp() WHERE key_id = $1 AND revoked_at IS NULL RETURNING partner_id
"""

_NOTICE = """
UPDATE partner_keys SET last_used_at = clock_timestamp()
WHERE key_id = ANY ($1) AND (last_used_at IS NULL OR last_used_at <= clock_timestamp() - $2::interval)
"""

_KEYS = f"""
SELECT key_id, partner_id, algorithm, public, secret, direction, k.kinds, signals, last_used_at, tolerance_s
FROM partner_keys k JOIN partners USING (partner_id)
WHERE ($1::text IS NULL OR partner_id = $1) AND (active OR $2) AND direction = $3
  AND valid_from <= clock_timestamp() AND {_UNENDED}
ORDER BY valid_from DESC, key_id
"""  # noqa: S608

_ENTRIES = """
SELECT key_id, partner_id, direction, algorithm, public, kinds, signals, valid_from, valid_until, revoked_at,
       last_used_at, replaces
FROM partner_keys
"""

_OF_PARTNER = " WHERE partner_id = $1 ORDER BY direction, valid_from DESC, key_id"
