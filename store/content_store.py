"""The content store: files of cases, encrypted as a stream and stored under the digest of their stored bytes.

Each file has its own key. The key is split into one share per case that the file concerns, each encrypted under a key
of that case, and all shares are needed to restore it: destroying the keys of any one person makes the file unreadable
for everyone (docs/decisions/0037). This module does not inspect the content of files.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Final, Protocol
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store.crypto.keys import NONCE
from store.log.mapper import KeyErasedError, TamperedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import asyncpg

    from store.crypto.keys import Key, Keyring, MasterKey

    Pool = asyncpg.Pool[asyncpg.Record]

MAGIC: Final = b"awda file 1\n"

CHUNK: Final = 64 * 1024  # bytes of plaintext; a file is padded to a multiple, so that its size reveals little

TAG: Final = 16

SECRET: Final = 32

SHARE: Final = 16 + NONCE + SECRET + TAG  # the key's id, and one share of the file's key under it

SIZE: Final = 8  # the last bytes of the last chunk: the size of the file without padding

IN_MEMORY: Final = 1024 * 1024


class FileNotStoredError(LookupError):
    """The content store has no such file."""


# Storage


class ContentStore(Protocol):
    """Stores encrypted bytes permanently, under their own digest. The interface for any storage backend."""

    def put(self, name: str, sealed: IO[bytes]) -> None:
        """Stores the bytes; they are durable when this returns. Existing content is not replaced."""

    def open(self, name: str) -> IO[bytes]:
        """Returns the stored bytes as a readable file. Raises ``FileNotStoredError``."""


class FolderContentStore:
    """A content store in a folder that only its owner can read."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, name: str, sealed: IO[bytes]) -> None:
        place = self._place(name)
        if place.exists():
            return
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.parent.mkdir(mode=0o700, exist_ok=True)
        draft = place.with_name(f".{name}.{uuid4().hex}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                while piece := sealed.read(CHUNK):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(place)
        finally:
            with suppress(FileNotFoundError):
                draft.unlink()
        for folder in (place.parent, self.root):
            _sync_folder(folder)

    def open(self, name: str) -> IO[bytes]:
        try:
            return self._place(name).open("rb")
        except FileNotFoundError:
            raise FileNotStoredError(
                f"File {name[:16]}… is not in the content store: restore it from a backup"
            ) from None

    def _place(self, name: str) -> Path:
        if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
            raise FileNotStoredError("The name of a stored file must have 64 hexadecimal digits")
        return self.root / name[:2] / name


def _sync_folder(folder: Path) -> None:
    """Makes new entries of a folder durable, so that they survive a power failure."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def digest_of(stored: IO[bytes]) -> str:
    """Returns the SHA-256 digest of stored bytes, in hexadecimal."""
    counted = sha256()
    while piece := stored.read(CHUNK):
        counted.update(piece)
    return counted.hexdigest()


# Encryption


@dataclass(frozen=True, slots=True)
class SealedFile:
    """An encrypted file, ready to store. ``name``: digest of ``bytes``; ``content_hash``: digest of the plaintext."""

    name: str
    content_hash: str
    size: int
    bytes: IO[bytes]


class FileSealer:
    """Encrypts a file in chunks for all cases it concerns. The whole plaintext is never in memory or on disk."""

    def __init__(self, holders: Sequence[Keyring], label: str) -> None:
        """``label``: the compartment. Raises ``KeyErasedError`` if the key of one of the cases has been destroyed."""
        if not holders:
            raise ValueError("A file must belong to at least one case: give the keyring of a case")
        keys = [_usable(keyring, label) for keyring in {keyring.stream_id: keyring for keyring in holders}.values()]
        secret = os.urandom(SECRET)
        file_id = uuid4().bytes
        shares = b"".join(_shares(secret, sorted(keys, key=lambda key: key.key_id), file_id))
        self._head = MAGIC + file_id + len(keys).to_bytes(2, "big") + shares
        self._cipher, self._bound = AESGCM(secret), sha256(self._head).digest()
        self._content, self._stored = sha256(), sha256()
        self._out = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (the caller closes it)
        self._rest, self._size, self._count = bytearray(), 0, 0
        self._write(self._head)

    def feed(self, piece: bytes) -> None:
        """Adds the next bytes of the file."""
        self._content.update(piece)
        self._size += len(piece)
        self._rest += piece
        while len(self._rest) > CHUNK:
            self._chunk(bytes(self._rest[:CHUNK]), last=False)
            del self._rest[:CHUNK]

    def finish(self) -> SealedFile:
        """Completes the file and returns it."""
        if len(self._rest) > CHUNK - SIZE:
            self._chunk(bytes(self._rest.ljust(CHUNK, b"\0")), last=False)
            self._rest.clear()
        self._chunk(bytes(self._rest).ljust(CHUNK - SIZE, b"\0") + self._size.to_bytes(SIZE, "big"), last=True)
        self._out.seek(0)
        return SealedFile(self._stored.hexdigest(), self._content.hexdigest(), self._size, self._out)

    def drop(self) -> None:
        """Discards the file."""
        self._out.close()

    def _chunk(self, plain: bytes, *, last: bool) -> None:
        self._write(self._cipher.encrypt(_nonce(self._count, last=last), plain, self._bound))
        self._count += 1

    def _write(self, piece: bytes) -> None:
        self._stored.update(piece)
        self._out.write(piece)


def _usable(keyring: Keyring, label: str) -> Key:
    key = keyring.key(label)
    if key is None:
        raise KeyErasedError(f"Stream {keyring.stream_id} has no key to encrypt a file with: the key was destroyed")
    return key


def _shares(secret: bytes, keys: Sequence[Key], file_id: bytes) -> Iterator[bytes]:
    """Yields random shares that give the secret only when all are combined, each encrypted under one key."""
    rest = secret
    for key in keys[1:]:
        share = os.urandom(SECRET)
        rest = _xor(rest, share)
        yield _sealed_share(key, share, file_id)
    yield _sealed_share(keys[0], rest, file_id)


def _sealed_share(key: Key, share: bytes, file_id: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    return key.key_id.bytes + nonce + key.cipher.encrypt(nonce, share, file_id)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _nonce(count: int, *, last: bool) -> bytes:
    """Returns a nonce that binds a chunk to its position and marks the last one, to detect moved or removed chunks."""
    return count.to_bytes(NONCE - 1, "big") + bytes([last])


# Decryption


@dataclass(frozen=True, slots=True)
class _Head:
    """The header of a stored file: its id, and the encrypted shares of its key by key id."""

    raw: bytes
    file_id: bytes
    shares: Mapping[UUID, bytes]

    @classmethod
    def read(cls, stored: IO[bytes]) -> _Head:
        begin = stored.read(len(MAGIC) + 16 + 2)
        if not begin.startswith(MAGIC) or len(begin) < len(MAGIC) + 18:
            raise TamperedError("The stored file does not have the expected header")
        count = int.from_bytes(begin[-2:], "big")
        shares = stored.read(count * SHARE)
        if not count or len(shares) != count * SHARE:
            raise TamperedError("The stored file is truncated within its header")
        each = (shares[at : at + SHARE] for at in range(0, len(shares), SHARE))
        return cls(begin + shares, begin[-18:-2], {UUID(bytes=share[:16]): share[16:] for share in each})


class OpenedFile:
    """A stored file that can be read in chunks."""

    def __init__(self, stored: IO[bytes], head: _Head, secret: bytes) -> None:
        self._stored, self._cipher, self._begins = stored, AESGCM(secret), len(head.raw)
        self._bound = sha256(head.raw).digest()
        length = stored.seek(0, os.SEEK_END) - self._begins
        self._chunks, odd = divmod(length, CHUNK + TAG)
        if odd or not self._chunks:
            raise TamperedError("The stored file is truncated")
        self.size = int.from_bytes(self._chunk(self._chunks - 1)[-SIZE:], "big")
        if self.size > self._chunks * CHUNK - SIZE:
            raise TamperedError("The stored file is shorter than the size it states")

    def pieces(self) -> Iterator[bytes]:
        """Yields the plaintext. Raises ``TamperedError`` at the first chunk that was changed."""
        left = self.size
        for number in range(-(-self.size // CHUNK)):
            piece = self._chunk(number)[: min(left, CHUNK)]
            left -= len(piece)
            yield piece

    def close(self) -> None:
        self._stored.close()

    def _chunk(self, number: int) -> bytes:
        self._stored.seek(self._begins + number * (CHUNK + TAG))
        try:
            nonce = _nonce(number, last=number == self._chunks - 1)
            return self._cipher.decrypt(nonce, self._stored.read(CHUNK + TAG), self._bound)
        except InvalidTag:
            raise TamperedError(f"Chunk {number} of the stored file was changed") from None


async def open_file(pool: Pool, master: MasterKey, stored: IO[bytes]) -> OpenedFile:
    """Opens a stored file. Raises ``TamperedError``, and ``KeyErasedError`` if any person in it has been erased."""
    head = _Head.read(stored)
    found = {row["key_id"]: row for row in await pool.fetch(_KEYS, list(head.shares))}
    secret = bytes(SECRET)
    for key_id, sealed in head.shares.items():
        row = found.get(key_id)
        if row is None or row["wrapped"] is None:
            raise KeyErasedError("The file cannot be read: the data of a person named in it were erased")
        cipher = master.unwrap(key_id, row["stream_id"], row["wrapped"])
        try:
            secret = _xor(secret, cipher.decrypt(sealed[:NONCE], sealed[NONCE:], head.file_id))
        except InvalidTag:
            raise TamperedError("A share of the key of the stored file was changed") from None
    return OpenedFile(stored, head, secret)


_KEYS = "SELECT key_id, stream_id, wrapped FROM case_keys WHERE key_id = ANY ($1)"
