"""The ledger of a partner: numbered without gaps, read in order during concurrent writes, and verifiable."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from hashlib import sha256
from typing import TypeAlias, cast
from uuid import UUID, uuid4

import asyncpg
import pytest

from store.crypto.keys import KeyStore
from store.messages.ledger import Accepted, Ledger, LedgerEntry, LedgerSealError, PartnerMessage, genesis, linked
from store.postgres.database import open_pool
from tests.support.databases import Database

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

CLINIC, EMBASSY = "clinic-tripoli", "embassy-nga"

WRITERS, LOTS = 8, 12


@pytest.fixture
def ledgers(pool: Pool, keys: KeyStore) -> Ledger:
    return Ledger(pool, keys)


def a_signal(partner_id: str = CLINIC, own_id: str | None = None, sent: bytes = b"{}") -> PartnerMessage:
    source = f"partner:{partner_id}"
    return PartnerMessage(partner_id, own_id or str(uuid4()), "a-token-nobody-knows", sent, sent, source, source)


async def taken(ledgers: Ledger, *signals: PartnerMessage) -> list[Accepted]:
    return await ledgers.accept(signals)


async def everything(ledgers: Ledger, partner_id: str = CLINIC) -> list[LedgerEntry]:
    return await ledgers.entries(partner_id, 0, 10_000)


async def test_each_partner_counts_by_itself_from_one(ledgers: Ledger) -> None:
    first = await taken(ledgers, a_signal(), a_signal(EMBASSY), a_signal())
    second = await taken(ledgers, a_signal(EMBASSY))

    assert [each.number for each in (*first, *second)] == [1, 1, 2, 2]


async def test_a_repeat_takes_no_number_and_keeps_its_own(ledgers: Ledger) -> None:
    signal = a_signal()
    await taken(ledgers, a_signal(), signal)

    (again,) = await taken(ledgers, signal)
    (behind,) = await taken(ledgers, a_signal())

    assert (again.repeated, again.conflicting, again.number) == (True, False, 2)
    assert behind.number == 3


async def test_twenty_senders_of_one_message_take_one_number(ledgers: Ledger) -> None:
    signal = a_signal()

    found = [one for (one,) in await asyncio.gather(*(taken(ledgers, signal) for _ in range(20)))]

    assert [each.repeated for each in found].count(False) == 1
    assert {each.number for each in found} == {1}
    assert [entry.number for entry in await everything(ledgers)] == [1]


async def test_the_same_id_with_other_bytes_is_known_as_something_else(ledgers: Ledger) -> None:
    signal = a_signal(sent=b'{"outcome": "FIT"}')
    await taken(ledgers, signal)

    (again,) = await taken(ledgers, replace(signal, sent=b'{"outcome":  "FIT"}'))

    assert (again.repeated, again.conflicting) == (True, True)


async def test_a_contradiction_is_kept_and_takes_no_number(ledgers: Ledger) -> None:
    signal = a_signal(sent=b"one")
    (first,) = await taken(ledgers, signal)
    other = replace(signal, sent=b"other", contradicts=first.message_id)

    kept = [one for (one,) in [await taken(ledgers, other), await taken(ledgers, other)]]

    assert [(each.repeated, each.number, each.status) for each in kept] == [
        (False, None, "quarantined"),
        (True, None, "quarantined"),
    ]
    assert [(entry.number, entry.contradicted) for entry in await everything(ledgers)] == [(1, True)]


async def test_a_reader_misses_nothing_of_writers_that_dawdle_before_they_commit(
    database: Database, pool: Pool, keys: KeyStore, ledgers: Ledger
) -> None:
    """Also shows that a reader by order of arrival misses messages of the same writers."""
    await pool.execute("SELECT open_ledgers($1)", [CLINIC, EMBASSY])
    done = asyncio.Event()
    async with await open_pool(database.app_dsn, min_size=WRITERS, max_size=WRITERS) as writers:
        readers = [asyncio.create_task(read_on(ledgers, who, done)) for who in (CLINIC, EMBASSY)]
        naive = asyncio.create_task(read_by_arrival(pool, done))
        written = await asyncio.gather(*(dawdle(writers, keys, random.Random(seed)) for seed in range(WRITERS)))
        done.set()
        read, seen_naively = [await reader for reader in readers], await naive

    wanted = {message_id for ids in written for message_id in ids}
    assert {entry.message_id for entries in read for entry in entries} == wanted
    for entries in read:
        assert [entry.number for entry in entries] == list(range(1, len(entries) + 1)), "in order, and no gap"
    assert wanted - set(seen_naively), "nobody overtook anybody: the test proves nothing"


async def dawdle(pool: Pool, keys: KeyStore, dice: random.Random) -> list[UUID]:
    """Writes batches for both partners, waiting up to 20 ms before each commit."""
    written: list[UUID] = []
    for _ in range(LOTS):
        mine = [a_signal(dice.choice([CLINIC, EMBASSY])) for _ in range(dice.randrange(1, 4))]
        async with pool.acquire() as connection, connection.transaction():
            await Ledger(cast("Pool", connection), keys).accept(mine)
            await asyncio.sleep(dice.random() * 0.02)
        written += [signal.message_id for signal in mine]
    return written


async def read_on(ledgers: Ledger, partner_id: str, done: asyncio.Event) -> list[LedgerEntry]:
    seen: list[LedgerEntry] = []
    while True:
        last_look = done.is_set()
        page = await ledgers.entries(partner_id, seen[-1].number if seen else 0, 20)
        seen += page
        if last_look and not page:
            return seen
        await asyncio.sleep(0)


async def read_by_arrival(pool: Pool, done: asyncio.Event) -> list[UUID]:
    seen: list[UUID] = []
    arrival = 0
    while True:
        last_look = done.is_set()
        rows = await pool.fetch("SELECT arrival, message_id FROM inbox WHERE arrival > $1 ORDER BY 1 LIMIT 50", arrival)
        seen += [row["message_id"] for row in rows]
        arrival = rows[-1]["arrival"] if rows else arrival
        if last_look and not rows:
            return seen
        await asyncio.sleep(0)


async def test_the_digest_of_a_ledger_can_be_computed_outside_the_database(pool: Pool, ledgers: Ledger) -> None:
    for _ in range(3):
        await taken(ledgers, a_signal(), a_signal(EMBASSY), a_signal())

    digest = genesis(CLINIC)
    for row in await pool.fetch("SELECT * FROM ledger WHERE partner_id = $1 ORDER BY seq", CLINIC):
        digest = linked(digest, row["seq"], row["message_id"], row["received_at"], row["entry"])
        assert digest == row["hash"]

    head = await ledgers.head(CLINIC)
    assert head is not None
    assert (head.seq, head.hash) == (6, digest)


async def test_a_ledger_keeps_the_partners_id_and_the_digest_and_shows_neither(pool: Pool, ledgers: Ledger) -> None:
    signal = a_signal(own_id="result-of-aminata", sent=b"something sent")
    await taken(ledgers, signal)

    (entry,) = await everything(ledgers)
    stored = json.dumps([str(dict(row)) for row in await pool.fetch("SELECT * FROM ledger NATURAL JOIN inbox")])

    assert (entry.own_id, entry.sha256) == ("result-of-aminata", signal.sha256)
    assert "aminata" not in stored
    assert signal.sha256 not in stored


async def test_an_entry_that_was_moved_to_another_message_does_not_open(owner: Pool, ledgers: Ledger) -> None:
    await taken(ledgers, a_signal(), a_signal())
    async with owner.acquire() as hand, hand.transaction():
        await hand.execute("SET LOCAL session_replication_role = replica")
        await hand.execute("UPDATE ledger SET entry = (SELECT entry FROM ledger WHERE seq = 1) WHERE seq = 2")

    with pytest.raises(LedgerSealError):
        await everything(ledgers)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET received_at = now()",
        "DELETE FROM ledger",
        "INSERT INTO ledger_heads (partner_id, seq, hash) VALUES ('x', 7, sha256('x'))",
        "UPDATE inbox SET stream_id = gen_random_uuid() WHERE status = 'applied'",
    ],
)
async def test_the_worker_can_change_nothing_of_a_ledger(pool: Pool, ledgers: Ledger, statement: str) -> None:
    await taken(ledgers, a_signal())
    await pool.execute("UPDATE inbox SET status = 'applied'")

    with pytest.raises(asyncpg.PostgresError):
        await pool.execute(statement)


async def test_the_account_of_a_day_adds_up_whatever_became_of_the_messages(pool: Pool, ledgers: Ledger) -> None:
    signals = [a_signal() for _ in range(6)]
    await taken(ledgers, *signals, a_signal(EMBASSY))
    became = ("applied", "ignored", "late", "quarantined", "refused", "pending")
    for signal, status in zip(signals, became, strict=True):
        await pool.execute("UPDATE inbox SET status = $2 WHERE message_id = $1", signal.message_id, status)

    (day,) = await ledgers.days(CLINIC)

    assert (day.sent, day.first, day.last, day.unaccounted) == (6, 1, 6, 0)
    assert (day.applied, day.ignored, day.late, day.quarantined, day.refused, day.pending) == (1, 1, 1, 1, 1, 1)


@pytest.mark.parametrize(
    "lost", ["DELETE FROM inbox WHERE message_id = $1", "DELETE FROM ledger WHERE message_id = $1"]
)
@pytest.mark.parametrize("which", [0, 1, 2])
async def test_a_message_that_is_gone_is_missed_in_the_account(
    owner: Pool, ledgers: Ledger, lost: str, which: int
) -> None:
    signals = [a_signal() for _ in range(3)]
    await taken(ledgers, *signals)
    async with owner.acquire() as hand, hand.transaction():
        await hand.execute("SET LOCAL session_replication_role = replica")
        await hand.execute(lost, signals[which].message_id)

    assert [day.unaccounted for day in await ledgers.days(CLINIC)] == [1]


async def test_the_digest_of_a_day_is_what_the_partner_computes_from_its_own_list(ledgers: Ledger) -> None:
    signals = [a_signal(sent=f"{n}".encode()) for n in range(5)]
    await taken(ledgers, *signals)
    mine = "".join(f"{n} {each.own_id} {sha256(each.sent).hexdigest()}\n" for n, each in enumerate(signals, 1))

    (day,) = await ledgers.days(CLINIC)

    assert await ledgers.digest(CLINIC, day) == sha256(mine.encode()).hexdigest()
