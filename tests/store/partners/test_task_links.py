"""Stored task links: one current link per referral, counted tries, and secrets stored as digests."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest

from store.partners.task_links import ALPHABET, NewTaskLink, TaskLink, TaskLinkStore, as_typed, made
from tests.store.conftest import MASTER

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

REFERRAL = UUID(int=7)

LATER = datetime(2199, 1, 1, tzinfo=UTC)


@pytest.fixture
def links(pool: Pool) -> TaskLinkStore:
    return TaskLinkStore(pool, MASTER)


async def issued(links: TaskLinkStore, key: str = "k", *, until: datetime = LATER) -> tuple[TaskLink, str, str]:
    token, code = made(MASTER, key.encode())
    new = NewTaskLink(uuid4(), UUID(int=1), REFERRAL, "clinic", "answer", "staff:fatima", until)
    return await links.issue(new, token, code), token, code


def test_a_token_has_128_bits_in_letters_that_are_told_apart() -> None:
    token, code = made(MASTER, b"k")

    assert len(token.replace("-", "")) == 26
    assert set(token) <= {*ALPHABET, "-"}
    assert not set("ilou") & set(ALPHABET)
    assert len(code) == 6
    assert code.isdigit()


def test_the_same_wish_gives_the_same_link_and_any_other_gives_another() -> None:
    assert made(MASTER, b"a", b"b") == made(MASTER, b"a", b"b")
    drawn = [made(MASTER, *wish) for wish in ((b"a", b"b"), (b"ab",), (b"ab", b""), (b"a", b"c"))]
    assert len({token for token, _ in drawn}) == 4
    assert len({code for _, code in drawn}) > 1


def test_a_token_is_one_in_every_spelling() -> None:
    token, _ = made(MASTER, b"k")
    assert as_typed(token.upper()) == as_typed(token.replace("-", "")) == as_typed(f" {token} ")
    assert as_typed("O1l-I0") == as_typed("01110")


async def test_one_link_is_alive_for_a_referral_however_many_are_issued_at_once(
    links: TaskLinkStore, pool: Pool
) -> None:
    await asyncio.gather(*(issued(links, f"k{nth}") for nth in range(8)))

    ended = await pool.fetch("SELECT ended_by, count(*) FROM task_links GROUP BY ended_by ORDER BY ended_by")
    assert [tuple(row) for row in ended] == [("replaced", 7), (None, 1)]


async def test_a_miss_costs_a_write_as_a_wrong_code_does(links: TaskLinkStore, pool: Pool) -> None:
    _, token, _ = await issued(links)

    assert await links.open("nothing", "123456", 5) is None
    assert await links.open(token, "no", 5) is None

    assert await pool.fetchval("SELECT sum(tries) FROM task_link_misses") == 1
    assert await pool.fetchval("SELECT tries FROM task_links") == 1


async def test_a_right_code_after_the_last_try_opens_nothing(links: TaskLinkStore) -> None:
    _, token, code = await issued(links)
    for _ in range(5):
        await links.open(token, "no", 5)

    assert await links.open(token, code, 5) is None


async def test_right_codes_cost_no_tries(links: TaskLinkStore) -> None:
    _, token, code = await issued(links)

    opened = [await links.open(token, code, 5) for _ in range(9)]

    assert [link.tries for link in opened if link] == [0] * 9


async def test_a_link_that_has_run_out_opens_nothing(links: TaskLinkStore) -> None:
    _, token, code = await issued(links, until=datetime(2000, 1, 1, tzinfo=UTC))

    assert await links.open(token, code, 5) is None


async def test_what_was_said_keeps_its_first_moment_and_is_counted_once(links: TaskLinkStore) -> None:
    link, token, code = await issued(links)
    first = await links.claim(link, "0:a")
    second = await links.claim(link, "0:a")
    for _ in range(3):
        await links.settle(link, "0:a", "receipt", first.said_at, ends=True)

    assert first.said_at == second.said_at
    (kept,) = await links.listed()
    assert (kept.answers, kept.ended_by) == (1, "answered")
    assert (await links.claim(link, "0:a")).receipt == "receipt"
    assert await links.open(token, code, 5) is None


async def test_the_worker_may_neither_unmake_a_link_nor_read_a_code(links: TaskLinkStore, pool: Pool) -> None:
    link, token, code = await issued(links)

    for change in (
        "DELETE FROM task_links",
        "UPDATE task_links SET expires_at = '2999-01-01'",
        "UPDATE task_links SET partner_id = 'another'",
        "UPDATE task_link_answers SET said_at = now()",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(change)
    kept = await pool.fetchrow("SELECT token_hash, code_hash FROM task_links WHERE link_id = $1", link.link_id)
    assert kept is not None
    assert token.encode() not in kept["token_hash"]
    assert code.encode() not in kept["code_hash"]
