"""Encryption keys: one per stream and compartment, wrapped under the master key, destroyed to erase a person's data.

Each stream gets its complete set of keys at once, under ids that have no meaning without the master key. Neither the
number of keys nor their ids therefore reveal what is recorded about a person.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from os import urandom
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.kernel.event import Compartment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import asyncpg

BODY: Final = "BODY"
"""The label of the key for whole messages, in addition to the keys of the compartments."""

LABELS: Final = (BODY, *(str(compartment) for compartment in Compartment))

NONCE: Final = 12

CACHED_KEYS: Final = 4096  # unwrapped keys held in memory

FRESH_S: Final = 30.0  # seconds for which a cached keyring is used without a new query


class InvalidMasterKeyError(ValueError):
    """The master key is malformed, or is not the one under which the keys were wrapped."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A stored key. ``wrapped`` is ``None`` if the key has been destroyed."""

    key_id: UUID
    wrapped: bytes | None


class Key(NamedTuple):
    """An unwrapped key."""

    key_id: UUID
    cipher: AESGCM


class MasterKey:
    """The key of 32 bytes that wraps the keys of streams and derives their opaque ids."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            msg = f"The master key has {len(secret)} bytes; it must have 32 (AWDA_MASTER_KEY)"
            raise InvalidMasterKeyError(msg)
        self._wrapping = AESGCM(_derive(secret, b"wrapping"))
        self._naming = _derive(secret, b"naming")
        self._hashing = _derive(secret, b"bodies")
        self._cached: OrderedDict[bytes, AESGCM] = OrderedDict()

    def key_id(self, stream_id: UUID, label: str) -> UUID:
        """Returns the id of the key of a stream for a compartment."""
        return UUID(bytes=_derive(self._naming, stream_id.bytes + label.encode())[:16])

    def fingerprint(self, *parts: bytes) -> bytes:
        """Returns a keyed digest (HMAC-SHA256) of the parts. It does not help to guess the parts."""
        return _derive(self._hashing, b"".join(len(part).to_bytes(8, "big") + part for part in parts))

    def wrap(self, key_id: UUID, stream_id: UUID, key: bytes) -> bytes:
        """Returns the key encrypted under the master key, as it is stored."""
        nonce = urandom(NONCE)
        return nonce + self._wrapping.encrypt(nonce, key, key_id.bytes + stream_id.bytes)

    def unwrap(self, key_id: UUID, stream_id: UUID, wrapped: bytes) -> AESGCM:
        """Returns the cipher of a stored key. Raises ``InvalidMasterKeyError`` for another master key or stream."""
        slot = key_id.bytes + stream_id.bytes + wrapped
        if cached := self._cached.get(slot):
            return cached
        try:
            key = self._wrapping.decrypt(wrapped[:NONCE], wrapped[NONCE:], key_id.bytes + stream_id.bytes)
        except InvalidTag:
            msg = f"Key {key_id} was not wrapped for stream {stream_id} under this master key: check AWDA_MASTER_KEY"
            raise InvalidMasterKeyError(msg) from None
        return self._cache(slot, AESGCM(key))

    def _cache(self, slot: bytes, cipher: AESGCM) -> AESGCM:
        self._cached[slot] = cipher
        if len(self._cached) > CACHED_KEYS:
            self._cached.popitem(last=False)
        return cipher


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return hmac.digest(secret, purpose, sha256)


class Keyring:
    """The keys of one stream, unwrapped at first use. Performs no input or output, so that the mapper can use it."""

    def __init__(self, master: MasterKey, stream_id: UUID, wrapped: Mapping[UUID, bytes | None]) -> None:
        self.stream_id = stream_id
        self._master = master
        self._wrapped = wrapped
        self._found: dict[UUID, Key] = {}
        self._named: dict[str, UUID] = {}

    def key(self, label: str) -> Key | None:
        """Returns the key for a compartment, or ``None`` if it was destroyed or never created."""
        key_id = self._named.get(label)
        if key_id is None:
            key_id = self._named[label] = self._master.key_id(self.stream_id, label)
        return self.find(key_id)

    def find(self, key_id: UUID) -> Key | None:
        """Returns the key with this id, or ``None`` if it was destroyed or belongs to another stream."""
        if (found := self._found.get(key_id)) is None and (wrapped := self._wrapped.get(key_id)):
            found = self._found[key_id] = Key(key_id, self._master.unwrap(key_id, self.stream_id, wrapped))
        return found

    def made(self, label: str) -> bool:
        """Returns whether such a key exists or existed."""
        return self._master.key_id(self.stream_id, label) in self._wrapped

    @property
    def erased(self) -> bool:
        """Returns whether all keys of the stream have been destroyed."""
        return bool(self._wrapped) and not any(self._wrapped.values())


class KeyStore:
    """Reads, creates and destroys the stored keys of streams."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], master: MasterKey) -> None:
        self.master = master
        self._pool = pool
        self._rings: OrderedDict[UUID, tuple[float, Keyring]] = OrderedDict()

    def from_rows(self, stream_id: UUID, rows: Iterable[KeyRow]) -> Keyring:
        """Returns a keyring of keys that were read as part of another query."""
        return Keyring(self.master, stream_id, {row.key_id: row.wrapped for row in rows})

    async def keyring(self, stream_id: UUID, need: Iterable[str] = (BODY,)) -> Keyring:
        """Returns the keyring of a stream. If a key in ``need`` was never created, creates and commits all keys."""
        labels = tuple(need)
        read_at, keyring = self._rings.get(stream_id, (0.0, None))
        if keyring is None or monotonic() - read_at > FRESH_S or not all(map(keyring.made, labels)):
            return (await self.keyrings([stream_id], labels))[stream_id]
        return keyring

    async def keyrings(self, stream_ids: Iterable[UUID], need: Iterable[str] = (BODY,)) -> dict[UUID, Keyring]:
        """Returns the keyrings of many streams, in one round trip, or in three if keys must be created."""
        labels, streams = tuple(need), tuple(dict.fromkeys(stream_ids))
        keyrings = await self._read(streams)
        lacking = [stream for stream, keyring in keyrings.items() if not all(map(keyring.made, labels))]
        if lacking:
            await self._make(lacking)
            keyrings |= await self._read(lacking)
        for keyring in keyrings.values():
            self._remember(keyring)
        return keyrings

    async def body_keyrings(self, stream_ids: Iterable[UUID]) -> dict[UUID, Keyring]:
        """Returns keyrings with only the key for whole messages, read without the cache: enough to accept messages."""
        named = {self.master.key_id(stream, BODY): stream for stream in stream_ids}
        found = {row["key_id"]: row["wrapped"] for row in await self._pool.fetch(_READ_NAMED, list(named))}
        keyrings = {
            stream: Keyring(self.master, stream, {key_id: found[key_id]})
            for key_id, stream in named.items()
            if key_id in found
        }
        lacking = [stream for stream in named.values() if stream not in keyrings]
        return {**keyrings, **(await self.keyrings(lacking) if lacking else {})}

    async def destroy(self, stream_id: UUID) -> None:
        """Destroys all keys of a stream permanently, and prevents that missing ones are created later."""
        ids = [self.master.key_id(stream_id, label) for label in LABELS]
        await self._pool.execute(_DESTROY, ids, stream_id)
        self._rings.pop(stream_id, None)

    async def _read(self, streams: Iterable[UUID]) -> dict[UUID, Keyring]:
        wrapped: dict[UUID, dict[UUID, bytes | None]] = {stream: {} for stream in streams}
        for row in await self._pool.fetch(_READ, list(wrapped)):
            wrapped[row["stream_id"]][row["key_id"]] = row["wrapped"]
        return {stream: Keyring(self.master, stream, keys) for stream, keys in wrapped.items()}

    async def _make(self, streams: Iterable[UUID]) -> None:
        made = [(self.master.key_id(stream, label), stream) for stream in streams for label in LABELS]
        made.sort()  # one order for all writers: concurrent creation for the same streams must not deadlock
        wrapped = [self.master.wrap(key_id, stream, urandom(32)) for key_id, stream in made]
        await self._pool.execute(_MAKE, [key_id for key_id, _ in made], [stream for _, stream in made], wrapped)

    def _remember(self, keyring: Keyring) -> None:
        self._rings[keyring.stream_id] = (monotonic(), keyring)
        self._rings.move_to_end(keyring.stream_id)
        if len(self._rings) > CACHED_KEYS // len(LABELS):
            self._rings.popitem(last=False)


_READ = "SELECT stream_id, key_id, wrapped FROM case_keys WHERE stream_id = ANY ($1)"

_READ_NAMED = "SELECT key_id, wrapped FROM case_keys WHERE key_id = ANY ($1)"

_MAKE = """
INSERT INTO case_keys (key_id, stream_id, wrapped) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[])
ON CONFLICT (key_id) DO NOTHING
"""

_DESTROY = """
INSERT INTO case_keys (key_id, stream_id, wrapped, destroyed_at)
SELECT key_id, $2, NULL, awda_now() FROM unnest($1::uuid[]) AS key_id
ON CONFLICT (key_id) DO UPDATE SET wrapped = NULL, destroyed_at = awda_now() WHERE case_keys.wrapped IS NOT NULL
"""
