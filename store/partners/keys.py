"""Webhook keys: those that verify messages of partners, and those that sign messages to partners.

Inbound keys verify messages of a partner: shared secrets (``v1``) or its public keys (``v1a``). Outbound keys sign
messages to it: shared secrets, or private keys of this installation. A key is never used in the other direction.
Secrets are encrypted under the master key. Validity is by the real clock, not by the programme clock. Every change is
recorded in the history of the partner.
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
    key_bytes,
    matching,
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

_DECOYS: Final = (new_secret(), new_pair()[1])

MAX_ACTIVE_KEYS: Final = 2
"""Keys of one direction and scope that may be valid at the same time: the old one and its replacement."""

GRACE: Final = timedelta(days=7)
"""How long a replaced key stays valid: time to give the new key to the partner over a secure channel."""

USE_RECORDED_EVERY: Final = timedelta(hours=1)


class UnknownKeyError(LookupError):
    """There is no key with this id."""


class TooManyKeysError(Exception):
    """Two keys of this direction and scope are already valid."""


class KeyEndedError(Exception):
    """A key that is no longer valid cannot be replaced."""


class Direction(StrEnum):
    """Whether a key verifies messages of a partner, or signs messages to it."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class PartnerKey:
    """A valid key; ``text`` has the format of ``store.crypto.webhook_signatures``.

    An outbound ``v1a`` key is a private key of this installation.
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
    """A key as the registry shows it, without its secret. ``public``: the whole ``whpk_`` key."""

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
        """Returns ``waiting``, ``live``, ``ending``, ``ended`` or ``revoked``; ``now`` is of the real clock (UTC)."""
        if self.revoked_at is not None:
            return "revoked"
        if self.valid_until is not None:
            return "ended" if self.valid_until <= now else "ending"
        return "live" if self.valid_from <= now else "waiting"


@dataclass(frozen=True, slots=True)
class OutboundKeys:
    """The address of a receiver and the signing keys, newest first: two while one is being replaced."""

    url: str
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def secret(self) -> str:
        """Returns the newest key."""
        return self.secrets[0]


# Queries and changes


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
    """Adds a key and returns its id: ``whsec_…`` in either direction, ``whpk_…`` inbound, ``whsk_…`` outbound.

    Raises ``InvalidKeyError``, ``TooManyKeysError`` and ``UnknownPartnerError``.
    """
    new = _New(partner_id, key, direction, scope, valid_from, valid_until)
    async with changing(pool, partner_id) as connection:
        return await _insert(connection, master, new, by)


async def rotate_key(
    pool: Pool, master: MasterKey, key_id: str, key: str, *, grace: timedelta = GRACE, by: str = SYSTEM
) -> str:
    """Replaces a key by one of the same direction and scope. The old key stays valid for ``grace``, then expires.

    Returns the id of the new key. Raises ``InvalidKeyError``, ``KeyEndedError``, ``TooManyKeysError`` and
    ``UnknownKeyError``.
    """
    old = await key_entry(pool, key_id)
    new = _New(old.partner_id, key, old.direction, old.scope, replaces=key_id)
    async with changing(pool, old.partner_id) as connection:
        ends = await connection.fetchval(_END, key_id, grace)
        if ends is None:
            raise KeyEndedError(f"Key {key_id} is no longer valid: add a new key instead of replacing it")
        new_id = await _insert(connection, master, new, by)
        await note_change(
            connection, by, "key replaced", old.partner_id, key_id, replaced_by=new_id, ends=ends.isoformat()
        )
        return new_id


async def revoke_key(pool: Pool, key_id: str, *, by: str = SYSTEM) -> bool:
    """Revokes a key. Returns whether it existed and was not revoked before.

    Gateways cache keys: they may still accept messages that the key signed for up to two seconds.
    """
    async with changing(pool) as connection:
        partner_id = await connection.fetchval(_REVOKE, key_id)
        if partner_id is None:
            return False
        await note_change(connection, by, "key revoked", partner_id, key_id)
        return True


async def key_entry(pool: Pool, key_id: str) -> KeyEntry:
    """Returns a key as the registry shows it. Raises ``UnknownKeyError``."""
    row = await pool.fetchrow(_ENTRIES + " WHERE key_id = $1", key_id)
    if row is None:
        raise UnknownKeyError(f"There is no key {key_id[:64]!r}: list the keys of the partner to find its id")
    return _entry(row)


async def key_entries(pool: Pool, partner_id: str) -> list[KeyEntry]:
    """Returns all keys that a partner ever had, newest first."""
    return [_entry(row) for row in await pool.fetch(_ENTRIES + _OF_PARTNER, partner_id)]


async def keys_of(
    pool: Pool,
    master: MasterKey,
    partner_id: str,
    *,
    resting: bool = False,
    direction: Direction = Direction.INBOUND,
) -> list[PartnerKey]:
    """Returns the valid keys of an active partner, newest first; none for an unknown partner.

    ``resting``: also those of an inactive partner.
    """
    return [_key(master, row) for row in await pool.fetch(_KEYS, partner_id, resting, direction)]


def signers(keys: Sequence[PartnerKey], headers: Mapping[str, str], body: bytes, now: float) -> tuple[PartnerKey, ...]:
    """Returns those of a partner's inbound keys that signed a message, within its clock tolerance. Never raises.

    ``now`` is Unix time of the real clock. An unknown partner takes as much time as a known one, so that timing does
    not reveal which partners exist.
    """
    within = max((key.tolerance_s for key in keys), default=TOLERANCE_S)
    fits = matching([key.text for key in keys] or _DECOYS, headers, body, now, within)
    return tuple(key for key, fit in zip(keys, fits, strict=False) if fit)


async def notice(pool: Pool, keys: Iterable[PartnerKey]) -> None:
    """Records, once an hour, that keys are in use, so that staff can see when a replaced key was used last."""
    now = datetime.now(UTC)  # noqa: TID251 (only saves a statement; the database decides)
    stale = [k.key_id for k in keys if k.last_used_at is None or now - k.last_used_at > USE_RECORDED_EVERY]
    if stale:
        await pool.execute(_NOTICE, stale, USE_RECORDED_EVERY)


async def keys_by_partner(pool: Pool, master: MasterKey) -> dict[str, list[PartnerKey]]:
    """Returns the valid inbound keys of all active partners by partner, newest first, for the cache of a gateway."""
    found: dict[str, list[PartnerKey]] = {}
    all_partners, resting = None, False
    for row in await pool.fetch(_KEYS, all_partners, resting, Direction.INBOUND):
        try:
            found.setdefault(row[1], []).append(_key(master, row))
        except InvalidMasterKeyError as bad:
            log.error("%s", bad)  # noqa: TRY400 (one bad key must not lock out other partners)
    return found


async def outbound(pool: Pool, master: MasterKey, partner_id: str) -> OutboundKeys | None:
    """Returns the receiver of an active partner and the signing keys, or ``None`` if it has no receiver or no key."""
    partner = await get(pool, partner_id)
    if partner is None or not partner.active or not partner.receiver_url:
        return None
    keys = await keys_of(pool, master, partner_id, direction=Direction.OUTBOUND)
    return OutboundKeys(partner.receiver_url, tuple(key.text for key in keys[:SIGNATURES])) if keys else None


# New keys


@dataclass(frozen=True, slots=True)
class _New:
    """A key to add. Raises ``InvalidKeyError`` if it cannot be used in this direction."""

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
            raise InvalidKeyError(
                f"A private key ({PRIVATE}) of a partner must stay with the partner: register its public key ({PUBLIC})"
            )
        if not inbound and self.key.startswith(PUBLIC):
            raise InvalidKeyError(
                f"A public key ({PUBLIC}) can only verify: outgoing messages need a {SECRET} or {PRIVATE} key"
            )
        if not inbound and self.scope.limited:
            raise InvalidKeyError(
                "Only an inbound key can be limited to kinds of referral and signals: leave the limits out"
            )
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise InvalidKeyError("The end of validity of a key must be later than its beginning")

    @property
    def algorithm(self) -> str:
        return "v1" if self.key.startswith(SECRET) else "v1a"


async def _insert(connection: Connection, master: MasterKey, new: _New, by: str) -> str:
    key_id = f"key-{uuid4().hex[:12]}"
    kinds, signals = _words(new.scope.kinds), _words(new.scope.signals)
    if await connection.fetchval(_LIVE, new.partner_id, new.direction, kinds, signals) >= MAX_ACTIVE_KEYS:
        raise TooManyKeysError(
            f"{new.partner_id} already has {MAX_ACTIVE_KEYS} valid {new.direction} keys with the same scope:"
            " revoke one, or wait until the replaced key expires"
        )
    public, secret = _parts(master, new, key_id)
    columns = (new.algorithm, public, secret, new.direction, kinds, signals, new.valid_from, new.valid_until)
    await connection.execute(_ADD_KEY, key_id, new.partner_id, *columns, new.replaces)
    details = {"direction": new.direction, "algorithm": new.algorithm, "kinds": kinds, "signals": signals}
    await note_change(connection, by, "key added", new.partner_id, key_id, **details)
    return key_id


def _parts(master: MasterKey, new: _New, key_id: str) -> tuple[bytes | None, bytes | None]:
    """Returns what is stored of a key: its public part, and its encrypted secret part."""
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
    """Returns the stored scope. A word that this version does not know permits nothing."""
    return KeyScope(
        None if kinds is None else frozenset(ReferralKind(k) for k in kinds if k in ReferralKind.__members__),
        None if signals is None else frozenset(SignalType(s) for s in signals if s in SignalType.__members__),
    )


def _words(words: Iterable[str] | None) -> list[str] | None:
    return None if words is None else sorted(words)


def _cipher(master: MasterKey) -> AESGCM:
    return AESGCM(master.fingerprint(b"secrets shared with partners"))


def _place(partner_id: str, key_id: str, direction: Direction) -> str:
    """Returns the label to which a secret is bound, so that it can be decrypted for its own direction only."""
    return f"{partner_id}|{key_id}" + ("" if direction is Direction.INBOUND else f"|{direction}")


def _seal(master: MasterKey, place: str, raw: bytes) -> bytes:
    nonce = urandom(NONCE)
    return nonce + _cipher(master).encrypt(nonce, raw, place.encode())


def _open(master: MasterKey, place: str, sealed: bytes) -> bytes:
    try:
        return _cipher(master).decrypt(sealed[:NONCE], sealed[NONCE:], place.encode())
    except (InvalidTag, ValueError):
        msg = f"Key {place} was not encrypted under this master key: check AWDA_MASTER_KEY"
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
