"""The content store: files are readable with all keys, unreadable after an erasure, and changes are detected."""

from __future__ import annotations

import io
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.content_store import (
    CHUNK,
    MAGIC,
    SHARE,
    SIZE,
    TAG,
    FileNotStoredError,
    FileSealer,
    FolderContentStore,
    OpenedFile,
    digest_of,
    open_file,
)
from store.crypto.keys import Keyring, KeyStore
from store.log.mapper import KeyErasedError, TamperedError
from tests.store.conftest import MASTER

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

LENGTHS = (
    0,
    1,
    CHUNK - SIZE - 1,
    CHUNK - SIZE,
    CHUNK - SIZE + 1,
    CHUNK - 1,
    CHUNK,
    CHUNK + 1,
    3 * CHUNK - SIZE,
    3 * CHUNK,
)


def sealed(rings: list[Keyring], content: bytes, label: str = "GEN", piece: int = 10_007) -> tuple[str, bytes]:
    sealing = FileSealer(rings, label)
    for at in range(0, len(content), piece):
        sealing.feed(content[at : at + piece])
    file = sealing.finish()
    assert file.content_hash == sha256(content).hexdigest()
    assert file.size == len(content)
    with file.bytes as stored:
        return file.name, stored.read()


async def opened(pool: Pool, raw: bytes) -> bytes:
    return b"".join((await open_file(pool, MASTER, io.BytesIO(raw))).pieces())


async def rings_of(keys: KeyStore, count: int = 1) -> list[Keyring]:
    return list((await keys.keyrings([uuid4() for _ in range(count)], ("GEN", "MED"))).values())


async def test_what_was_sealed_is_opened_whole_whatever_its_length(pool: Pool, keys: KeyStore) -> None:
    rings = await rings_of(keys)
    for length in LENGTHS:
        content = bytes(range(256)) * (length // 256) + bytes(length % 256)
        name, raw = sealed(rings, content)
        assert name == sha256(raw).hexdigest() == digest_of(io.BytesIO(raw))
        assert await opened(pool, raw) == content


@given(content=st.binary(max_size=3 * CHUNK), piece=st.integers(1, 2 * CHUNK))
def test_it_does_not_matter_in_which_pieces_a_file_comes(content: bytes, piece: int) -> None:
    ring = a_ring()
    _, raw = sealed([ring], content, piece=piece)
    assert b"".join(unlocked(ring, raw).pieces()) == content


def a_ring() -> Keyring:
    """Returns keys that are in no database."""
    stream = uuid4()
    key_id = MASTER.key_id(stream, "GEN")
    return Keyring(MASTER, stream, {key_id: MASTER.wrap(key_id, stream, bytes(range(32)))})


def unlocked(ring: Keyring, raw: bytes) -> OpenedFile:
    """Opens a file of one holder without a database."""
    from store.content_store import _Head

    stored = io.BytesIO(raw)
    head = _Head.read(stored)
    key = ring.key("GEN")
    assert key is not None
    share = head.shares[key.key_id]
    return OpenedFile(stored, head, key.cipher.decrypt(share[:12], share[12:], head.file_id))


async def test_two_files_that_differ_in_length_are_stored_at_the_same_length(keys: KeyStore) -> None:
    rings = await rings_of(keys)
    assert {len(sealed(rings, bytes(length))[1]) for length in (1, 100, 50_000)} == {len(sealed(rings, b"")[1])}


async def test_the_same_file_twice_is_not_seen_to_be_the_same(keys: KeyStore) -> None:
    rings = await rings_of(keys)
    assert sealed(rings, b"the same")[0] != sealed(rings, b"the same")[0]


async def test_nothing_of_the_content_stands_in_what_is_stored(keys: KeyStore) -> None:
    _, raw = sealed(await rings_of(keys), b"Okafor, Aminata " * 100)
    assert b"Okafor" not in raw


# Erasure


async def test_a_file_that_names_many_is_gone_for_all_when_one_of_them_is_erased(pool: Pool, keys: KeyStore) -> None:
    rings = await rings_of(keys, 5)
    _, raw = sealed(rings, b"five names")
    assert await opened(pool, raw) == b"five names"
    await keys.destroy(rings[3].stream_id)
    with pytest.raises(KeyErasedError):
        await opened(pool, raw)


async def test_any_share_lacking_leaves_nothing_not_even_with_all_the_others(pool: Pool, keys: KeyStore) -> None:
    rings = await rings_of(keys, 3)
    _, raw = sealed(rings, b"three names")
    for ring in rings:
        key_id = ring.key("GEN").key_id  # type: ignore[union-attr]
        at = raw.index(key_id.bytes)
        without = raw[: len(MAGIC) + 16] + (2).to_bytes(2, "big") + raw[len(MAGIC) + 18 : at] + raw[at + SHARE :]
        with pytest.raises(TamperedError):
            await opened(pool, without)


async def test_nothing_is_sealed_for_somebody_who_was_erased(keys: KeyStore) -> None:
    rings = await rings_of(keys, 2)
    await keys.destroy(rings[0].stream_id)
    rings = list((await keys.keyrings([ring.stream_id for ring in rings], ("GEN",))).values())
    with pytest.raises(KeyErasedError):
        FileSealer(rings, "GEN")


def test_a_file_without_anybody_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one case"):
        FileSealer([], "GEN")


async def test_a_file_is_kept_under_the_key_of_its_own_compartment(keys: KeyStore) -> None:
    (ring,) = await rings_of(keys)
    for label in ("GEN", "MED", "PROT"):
        _, raw = sealed([ring], b"x", label)
        assert UUID(bytes=raw[len(MAGIC) + 18 : len(MAGIC) + 34]) == MASTER.key_id(ring.stream_id, label)


# Tampering


def places(raw: bytes) -> dict[str, int]:
    return {
        "its magic": 0,
        "its id": len(MAGIC) + 3,
        "a share": len(MAGIC) + 40,
        "the first chunk": len(MAGIC) + 18 + SHARE + 5,
        "the last sign": len(raw) - 1,
    }


async def test_one_changed_bit_is_noticed_wherever_it_is(pool: Pool, keys: KeyStore) -> None:
    _, raw = sealed(await rings_of(keys), b"a passport " * 20_000)
    for place, at in places(raw).items():
        with pytest.raises(TamperedError):
            await opened(pool, raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        assert place


async def test_chunks_cannot_be_moved_left_out_or_cut_off(pool: Pool, keys: KeyStore) -> None:
    _, raw = sealed(await rings_of(keys), b"a passport " * 20_000)
    begins, size = len(MAGIC) + 18 + SHARE, CHUNK + TAG
    head, chunks = raw[:begins], [raw[at : at + size] for at in range(begins, len(raw), size)]
    assert len(chunks) == 4
    for wrong in (chunks[:-1], chunks[1:], [chunks[1], chunks[0], *chunks[2:]], [*chunks, chunks[-1]], [], chunks[3:]):
        with pytest.raises(TamperedError):
            await opened(pool, head + b"".join(wrong))
    for cut in (len(raw) - 1, begins - 1, len(MAGIC)):
        with pytest.raises(TamperedError):
            await opened(pool, raw[:cut])


async def test_an_end_that_is_cut_off_shows_even_where_nothing_but_zeros_stood(pool: Pool, keys: KeyStore) -> None:
    _, raw = sealed(await rings_of(keys), bytes(3 * CHUNK))
    with pytest.raises(TamperedError):
        await opened(pool, raw[: -(CHUNK + TAG)])


async def test_a_share_of_another_file_does_not_serve(pool: Pool, keys: KeyStore) -> None:
    rings = await rings_of(keys)
    (_, one), (_, other) = sealed(rings, b"one"), sealed(rings, b"other")
    at = len(MAGIC) + 18
    with pytest.raises(TamperedError):
        await opened(pool, one[:at] + other[at : at + SHARE] + one[at + SHARE :])


# Storage


def test_a_folder_keeps_what_it_is_given_and_lets_nobody_else_read_it(tmp_path: Path) -> None:
    folder, name = FolderContentStore(tmp_path / "files"), "ab" * 32
    folder.put(name, io.BytesIO(b"sealed"))
    folder.put(name, io.BytesIO(b"something else"))
    with folder.open(name) as kept:
        assert kept.read() == b"sealed"
    made = [tmp_path / "files", tmp_path / "files" / "ab", tmp_path / "files" / "ab" / name]
    assert [oct(each.stat().st_mode)[-3:] for each in made] == ["700", "700", "600"]
    assert [each.name for each in made[1].iterdir()] == [name], "no draft is left behind"


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "AB" * 32, "ab" * 31, "ab" * 31 + "/.", "zz" * 32])
def test_what_is_no_digest_names_no_file(tmp_path: Path, name: str) -> None:
    folder = FolderContentStore(tmp_path)
    for use in (lambda: folder.open(name), lambda: folder.put(name, io.BytesIO(b"x"))):
        with pytest.raises(FileNotStoredError):
            use()


def test_a_file_that_cannot_be_written_whole_is_not_there(tmp_path: Path) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: Any = -1) -> bytes:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        FolderContentStore(tmp_path).put("ab" * 32, Breaking())
    with pytest.raises(FileNotStoredError):
        FolderContentStore(tmp_path).open("ab" * 32)
    assert list((tmp_path / "ab").iterdir()) == []
