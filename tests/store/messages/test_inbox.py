"""The inbox accepts each message once, however often it is sent."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest

from store.crypto.keys import KeyStore
from store.log.mapper import open_body
from store.log.streams import by_number, open_streams
from store.messages.inbox import Inbox, message_id_for, place_of
from tests.support.event_fixtures import LogWriter, applied, message

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_a_message_sent_twice_is_one_message_with_one_answer(desk: LogWriter) -> None:
    case, message_id = await desk.open_case(), uuid4()
    first = await desk.put(case, b"x", message_id)
    await desk.record(case, settled=[applied(first)])

    again = await desk.put(case, b"x", message_id)

    assert (first.repeated, first.status, again.repeated, again.conflicting) == (False, "pending", True, False)
    assert (again.status, again.result, again.received_at) == ("applied", {"ok": True}, first.received_at)


async def test_twenty_senders_of_one_message_make_one_row(desk: LogWriter, inbox: Inbox) -> None:
    case, message_id = await desk.open_case(), uuid4()

    receipts = await asyncio.gather(*(desk.put(case, b"x", message_id) for _ in range(20)))

    assert [receipt.repeated for receipt in receipts].count(False) == 1
    assert {receipt.conflicting for receipt in receipts} == {False}


@pytest.mark.parametrize("other", ["body", "case"])
async def test_an_id_used_for_something_else_is_a_conflict(desk: LogWriter, inbox: Inbox, other: str) -> None:
    here, there, message_id = await desk.open_case(), await desk.open_case(), uuid4()
    await desk.put(here, b"x", message_id)

    again = await inbox.put(message(here if other == "body" else there, b"y" if other == "body" else b"x", message_id))

    assert (again.repeated, again.conflicting, again.stream_id) == (True, True, here)


async def test_a_case_started_twice_is_one_case_with_one_number(inbox: Inbox, pool: Pool) -> None:
    opening, year = message(None, b"open"), datetime.now(UTC).year

    receipts = await asyncio.gather(*(inbox.start_case(opening) for _ in range(8)))

    assert {receipt.number for receipt in receipts} == {f"LBY-{year}-000001"}
    assert [receipt.repeated for receipt in receipts].count(False) == 1
    head = await by_number(pool, f"LBY-{year}-000001")
    assert head is not None
    assert (head.stream_id, head.version, head.open) == (receipts[0].stream_id, 0, True)
    assert (await inbox.start_case(message(None, b"open"))).number == f"LBY-{year}-000002"
    assert [stream.number[-1] for stream in await open_streams(pool, "case")] == ["1", "2"]


async def test_a_message_of_an_unknown_case_is_kept_and_sealed(inbox: Inbox, pool: Pool, keys: KeyStore) -> None:
    receipt = await inbox.put(message(None, b"who is this"))

    body = await pool.fetchval("SELECT body FROM inbox WHERE message_id = $1", receipt.message_id)
    assert b"who" not in body
    nowhere = UUID(int=0)
    assert open_body(await keys.keyring(nowhere), nowhere, place_of(receipt.message_id), body) == b"who is this"
    assert await inbox.pending_streams() == []


async def test_the_streams_that_wait_are_named_once_longest_wait_first(desk: LogWriter, inbox: Inbox) -> None:
    first, second = await desk.open_case(), await desk.open_case()
    for case in (second, first, first):
        await desk.put(case)

    assert await inbox.pending_streams() == [first, second]


async def test_a_stream_is_due_once_its_deadline_and_the_grace_are_over(desk: LogWriter, inbox: Inbox) -> None:
    case, closed, due = await desk.open_case(), await desk.open_case(), datetime(2027, 1, 1, tzinfo=UTC)
    await desk.record(case, next_due=due)
    await desk.record(closed, next_due=due, open=False)

    hour = timedelta(hours=1)
    assert await inbox.due_streams(due + hour - timedelta(seconds=1), hour) == []
    assert await inbox.due_streams(due + hour, hour) == [case]


async def test_one_can_wait_for_the_result(desk: LogWriter, inbox: Inbox) -> None:
    case = await desk.open_case()
    asked = await desk.put(case)
    waiting = asyncio.create_task(inbox.wait_for(asked.message_id, 10))
    await desk.record(case, settled=[applied(asked)])

    result = await waiting

    assert result is not None
    assert (result.status, result.settled_version) == ("applied", 1)


async def test_waiting_ends_when_the_time_is_up(desk: LogWriter, inbox: Inbox) -> None:
    asked = await desk.put(await desk.open_case())

    result = await inbox.wait_for(asked.message_id, 0.1)

    assert result is not None
    assert not result.settled
    assert await inbox.wait_for(uuid4(), 10) is None


def test_ids_of_messages_do_not_run_together() -> None:
    assert message_id_for("clinic", "7") == message_id_for("clinic", "7")
    assert len({message_id_for("clinic", "17"), message_id_for("clinic1", "7"), message_id_for("clin", "ic17")}) == 3
