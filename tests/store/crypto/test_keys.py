"""Keys: created once, under opaque ids, and destroyed permanently."""

from __future__ import annotations

import asyncio
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import pytest

from domain.kernel.event import NOWHERE, Compartment
from store.crypto.keys import BODY, LABELS, InvalidMasterKeyError, KeyStore, MasterKey
from store.log.mapper import open_body, seal_body
from tests.store.conftest import MASTER

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_two_that_make_keys_at_once_end_up_with_the_same_ones(pool: Pool) -> None:
    streams = [uuid4() for _ in range(20)]
    stores = [KeyStore(pool, MASTER) for _ in range(4)]
    made = await asyncio.gather(*(store.keyrings(streams) for store in stores))

    for stream in streams:
        sealed = seal_body(made[0][stream], stream, "x", b"hello")
        assert [open_body(rings[stream], stream, "x", sealed) for rings in made] == [b"hello"] * 4


async def test_what_is_stored_tells_nothing_of_what_is_known_about_somebody(pool: Pool, keys: KeyStore) -> None:
    one, other = uuid4(), uuid4()
    await keys.keyring(one, (Compartment.GEN,))
    await keys.keyring(other, (Compartment.ASYL, Compartment.MED))

    rows = await pool.fetch("SELECT * FROM case_keys")
    per_stream = {stream: [row for row in rows if row["stream_id"] == stream] for stream in (one, other)}
    assert {stream: len(found) for stream, found in per_stream.items()} == {one: len(LABELS), other: len(LABELS)}
    assert len({len(row["wrapped"]) for row in rows}) == 1
    assert not [row for row in rows if any(label.encode() in row["key_id"].bytes for label in LABELS)]


async def test_nothing_is_made_when_nothing_is_needed(pool: Pool, keys: KeyStore) -> None:
    ring = await keys.keyring(uuid4(), ())

    assert (ring.key(BODY), ring.made(BODY), ring.erased) == (None, False, False)
    assert await pool.fetchval("SELECT count(*) FROM case_keys") == 0


async def test_a_destroyed_key_never_comes_back(pool: Pool, owner: Pool, keys: KeyStore) -> None:
    stream = uuid4()
    await keys.keyring(stream)
    await keys.destroy(stream)

    assert (await keys.keyring(stream)).erased
    assert (await KeyStore(pool, MASTER).keyring(stream, LABELS)).key(BODY) is None
    with pytest.raises(asyncpg.PostgresError, match="never comes back"):
        await owner.execute(r"UPDATE case_keys SET wrapped = '\x00', destroyed_at = NULL")


async def test_a_stream_can_be_erased_before_it_had_keys(keys: KeyStore) -> None:
    stream = uuid4()
    await keys.destroy(stream)

    assert (await keys.keyring(stream)).erased


async def test_the_gateway_has_keys_for_messages_of_unknown_cases(keys: KeyStore) -> None:
    assert (await keys.keyring(NOWHERE)).key(BODY) is not None


async def test_another_master_key_opens_nothing_and_says_so(pool: Pool, keys: KeyStore) -> None:
    stream, stranger = uuid4(), MasterKey(bytes(32))
    key = (await keys.keyring(stream)).key(BODY)
    assert key is not None

    with pytest.raises(InvalidMasterKeyError, match="AWDA_MASTER_KEY"):
        (await KeyStore(pool, stranger).keyring(stream, ())).find(key.key_id)


async def test_a_wrapped_key_moved_to_another_stream_is_refused() -> None:
    key_id, here, there = uuid4(), uuid4(), uuid4()
    wrapped = MASTER.wrap(key_id, here, bytes(32))
    MASTER.unwrap(key_id, here, wrapped)

    with pytest.raises(InvalidMasterKeyError):
        MASTER.unwrap(key_id, there, wrapped)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_master_key_of_the_wrong_size_is_refused(size: int) -> None:
    with pytest.raises(InvalidMasterKeyError, match=str(size)):
        MasterKey(bytes(size))


def test_fingerprints_of_parts_do_not_run_together() -> None:
    parts: list[tuple[bytes, ...]] = [(b"ab", b"c"), (b"a", b"bc"), (b"abc",), (b"", b"abc")]

    assert len({MASTER.fingerprint(*each) for each in parts}) == len(parts)
