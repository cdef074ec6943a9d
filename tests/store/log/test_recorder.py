"""The recorder: a changeset is written completely or not at all, once, in two round trips."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest

from store.log.hash_chain import GENESIS, breaks
from store.log.recorder import DuplicateIdError, Recorder, StaleRevisionError
from store.log.rows import Changeset, MessageResult, NewEvent, ReferralToken
from store.log.streams import by_id, heads, route
from store.messages.inbox import Inbox, NumberTakenError, open_waiting
from store.messages.outbox import Outbox, outgoing
from store.postgres.database import open_pool
from tests.support.event_fixtures import LanternLit, LogWriter, applied, message, refused
from tests.support.wire_counter import WireCounter

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_what_was_recorded_is_loaded_again_with_the_time_and_what_waits(
    desk: LogWriter, recorder: Recorder
) -> None:
    case = await desk.open_case()
    written = await desk.record(case, LanternLit(room="hall"), LanternLit(room="attic"))

    loaded = await recorder.load(case)

    assert loaded.head is not None
    assert (loaded.head.revision, loaded.head.version, loaded.head.hash) == (1, 2, written.hash)
    assert [(row.originator_version, row.topic) for row in loaded.rows] == [
        (1, "test.lantern-lit"),
        (2, "test.lantern-lit"),
    ]
    assert [waiting.name for waiting in loaded.waiting] == ["TestMessage"]
    assert abs(loaded.now - datetime.now(UTC)) < timedelta(seconds=30)
    assert list(breaks(loaded.rows)) == []


async def test_a_stream_nobody_opened_has_no_head(recorder: Recorder) -> None:
    loaded = await recorder.load(uuid4())

    assert (loaded.head, loaded.rows, loaded.waiting, loaded.keys, loaded.more) == (None, [], [], [], False)


async def test_only_the_events_after_a_version_are_loaded(desk: LogWriter, recorder: Recorder) -> None:
    case = await desk.open_case()
    await desk.record(case, *(LanternLit(room=str(n)) for n in range(5)))

    assert [row.originator_version for row in (await recorder.load(case, after=3)).rows] == [4, 5]


async def test_a_stale_writer_is_refused_and_nothing_of_it_is_kept(desk: LogWriter, recorder: Recorder) -> None:
    case = await desk.open_case()
    asked = await desk.put(case)
    late = await desk.changeset(case, LanternLit(room="cellar"), settled=[applied(asked)])
    await desk.record(case, LanternLit(room="hall"))

    with pytest.raises(StaleRevisionError):
        await recorder.write(late)

    loaded = await recorder.load(case)
    assert len(loaded.rows) == 1
    assert asked.message_id in {waiting.message_id for waiting in loaded.waiting}


async def test_a_recording_without_events_makes_others_stale_too(desk: LogWriter, recorder: Recorder) -> None:
    case = await desk.open_case()
    late = await desk.changeset(case, LanternLit(room="cellar"))
    await desk.record(case, settled=[refused(await desk.put(case))])

    with pytest.raises(StaleRevisionError):
        await recorder.write(late)


async def test_a_plan_that_rests_on_another_hash_is_refused(desk: LogWriter, recorder: Recorder) -> None:
    case = await desk.open_case()
    await desk.record(case, LanternLit(room="hall"))

    with pytest.raises(StaleRevisionError):
        await recorder.write(
            Changeset(case, 1, GENESIS, 2, [NewEvent(case, 2, "test.lantern-lit", b"{}", uuid4(), "{}")])
        )


async def test_a_plan_that_leaves_a_gap_is_refused(desk: LogWriter, recorder: Recorder) -> None:
    case = await desk.open_case()

    with pytest.raises(StaleRevisionError):
        await recorder.write(
            Changeset(case, 0, GENESIS, 2, [NewEvent(case, 2, "test.lantern-lit", b"{}", uuid4(), "{}")])
        )


async def test_a_settled_message_is_not_settled_again(desk: LogWriter, recorder: Recorder) -> None:
    case = await desk.open_case()
    asked = await desk.put(case)
    await desk.record(case, settled=[refused(asked)])

    with pytest.raises(StaleRevisionError):
        await desk.record(case, LanternLit(room="hall"), settled=[applied(asked)])

    assert (await recorder.load(case)).rows == []


async def test_a_message_to_another_stream_is_not_settled(desk: LogWriter) -> None:
    here, elsewhere = await desk.open_case(), await desk.open_case()
    asked = await desk.put(elsewhere)

    with pytest.raises(StaleRevisionError):
        await desk.record(here, settled=[applied(asked)])


async def test_messages_come_in_batches_in_the_order_they_came(desk: LogWriter, recorder: Recorder) -> None:
    case = await desk.open_case()
    for n in range(4):
        await desk.put(case, str(n).encode())
    ring = await desk.ring(case)

    first = await recorder.load(case, limit=3)

    assert first.more
    assert [open_waiting(ring, waiting) for waiting in first.waiting] == [b"open", b"0", b"1"]
    assert not (await recorder.load(case, limit=5)).more


async def test_everything_one_decision_writes_is_written_together(
    desk: LogWriter, recorder: Recorder, inbox: Inbox, pool: Pool
) -> None:
    case, other = await desk.open_case(), await desk.open_case()
    ring, outbox_id, letter_id = await desk.ring(case), uuid4(), uuid4()
    due = datetime(2027, 1, 2, tzinfo=UTC)
    written = await desk.record(
        case,
        LanternLit(room="hall"),
        outbox=[outgoing(ring, outbox_id, "clinic", "referral.sent", b"please")],
        letters=await inbox.letters([(letter_id, other, "TestMessage", b"psst")]),
        tokens=[ReferralToken("tok-1", "R1", "clinic")],
        next_due=due,
        open=False,
    )

    head, told = await by_id(pool, case), await recorder.load(other)
    assert head is not None
    assert (head.next_due, head.open, head.version) == (due, False, written.version)
    assert open_waiting(await desk.ring(other), told.waiting[-1]) == b"psst"
    assert await route(pool, "tok-1") == (case, "R1", "clinic")
    delivery = await Outbox(pool).get(outbox_id)
    assert delivery is not None
    assert (delivery.stream_id, delivery.status) == (case, "pending")


async def test_a_failure_half_way_leaves_nothing(desk: LogWriter, recorder: Recorder, inbox: Inbox, pool: Pool) -> None:
    case = await desk.open_case()
    asked, ring = await desk.put(case), await desk.ring(case)
    await desk.record(case, tokens=[ReferralToken("taken", "R1", "clinic")])
    changeset = await desk.changeset(
        case,
        LanternLit(room="hall"),
        settled=[applied(asked)],
        outbox=[outgoing(ring, uuid4(), "clinic", "referral.sent", b"please")],
        tokens=[ReferralToken("taken", "R2", "clinic")],
    )

    with pytest.raises(DuplicateIdError, match="referral_tokens"):
        await recorder.write(changeset)

    result = await inbox.result(asked.message_id)
    assert result is not None
    assert (result.status, (await recorder.load(case)).rows, await Outbox(pool).pending()) == ("pending", [], [])


async def test_the_same_letter_twice_is_one_letter(desk: LogWriter, recorder: Recorder, inbox: Inbox) -> None:
    case, other = await desk.open_case(), await desk.open_case()
    letters = await inbox.letters([(uuid4(), other, "TestMessage", b"psst")])
    await desk.record(case, letters=letters)
    await desk.record(case, letters=letters)

    assert len((await recorder.load(other)).waiting) == 2  # the first message, and one from the other stream


async def test_a_decision_about_many_streams_is_stale_when_one_of_them_moved(
    desk: LogWriter, recorder: Recorder, pool: Pool
) -> None:
    flight, amal, badr = [await desk.open_case() for _ in range(3)]
    seen = await heads(pool, [amal, badr])
    doors_closed = await desk.changeset(
        flight, LanternLit(room="gate"), heads=[(id_, head.revision) for id_, head in seen.items()]
    )
    await desk.record(amal, LanternLit(room="exit"))

    with pytest.raises(StaleRevisionError):
        await recorder.write(doors_closed)

    assert (await recorder.load(flight)).rows == []


async def test_a_decision_about_many_streams_makes_theirs_stale(desk: LogWriter, recorder: Recorder) -> None:
    flight, amal = await desk.open_case(), await desk.open_case()
    withdrawal = await desk.changeset(amal, LanternLit(room="exit"))
    await desk.record(flight, LanternLit(room="gate"), heads=[(amal, 0)])

    with pytest.raises(StaleRevisionError):
        await recorder.write(withdrawal)


async def test_a_decision_about_many_streams_is_stale_when_something_was_said_to_one_that_must_be_quiet(
    desk: LogWriter, recorder: Recorder, pool: Pool
) -> None:
    flight, amal, badr = [await desk.open_case() for _ in range(3)]
    await pool.execute("UPDATE inbox SET status = 'applied' WHERE stream_id = $1", amal)
    seen = [(id_, head.revision) for id_, head in (await heads(pool, [amal, badr])).items()]
    doors_closed = await desk.changeset(flight, LanternLit(room="gate"), heads=seen, idle=[amal])
    await desk.put(amal)

    with pytest.raises(StaleRevisionError):
        await recorder.write(doors_closed)
    assert (await recorder.load(flight)).rows == []

    await pool.execute("UPDATE inbox SET status = 'applied' WHERE stream_id = $1", amal)
    await recorder.write(doors_closed)  # a message to Badr, whose stream is not in `idle`, does not matter


async def test_an_event_id_used_by_another_stream_is_a_clash(desk: LogWriter, recorder: Recorder) -> None:
    here, there = await desk.open_case(), await desk.open_case()
    event_id = uuid4()
    await recorder.write(Changeset(here, 0, GENESIS, 1, [NewEvent(here, 1, "test.lantern-lit", b"{}", event_id, "{}")]))

    with pytest.raises(DuplicateIdError, match="events_once"):
        await recorder.write(
            Changeset(there, 0, GENESIS, 1, [NewEvent(there, 1, "test.lantern-lit", b"{}", event_id, "{}")])
        )


async def test_events_can_be_selected_from_either_end(desk: LogWriter, recorder: Recorder) -> None:
    case = await desk.open_case()
    await desk.record(case, *(LanternLit(room=str(n)) for n in range(5)))

    assert [row.originator_version for row in await recorder.select_events(case, gt=1, lte=4)] == [2, 3, 4]
    assert [row.originator_version for row in await recorder.select_events(case, desc=True, limit=2)] == [5, 4]


async def test_a_load_and_a_write_are_one_round_trip_each(desk: LogWriter, database: Any) -> None:
    case = await desk.open_case()
    async with WireCounter(database.app_dsn) as wire, await wired(wire, database) as pool:
        recorder = Recorder(pool)
        for _ in range(2):  # the first write of each kind also prepares its statement
            loaded = await recorder.load(case)
            await recorder.write(desk.changeset_on(case, loaded, LanternLit(room="hall"), LanternLit(room="attic")))
        wire.trips = 0
        loaded = await recorder.load(case)
        after_load = wire.trips
        await recorder.write(desk.changeset_on(case, loaded, LanternLit(room="hall"), LanternLit(room="attic")))

        assert (after_load, wire.trips) == (1, 2)


@pytest.mark.parametrize("facts", [1, 0], ids=["with an event", "with a refusal"])
async def test_a_commit_whose_answer_was_lost_is_known_as_written(
    desk: LogWriter, recorder: Recorder, database: Any, facts: int
) -> None:
    case, other = await desk.open_case(), await desk.open_case()
    async with WireCounter(database.app_dsn) as wire, await wired(wire, database) as pool:
        cut_off = Recorder(pool)
        for n in range(5):
            asked = await desk.put(case)
            changeset = await desk.changeset(
                case, *[LanternLit(room=str(n))] * facts, settled=[applied(asked) if facts else refused(asked)]
            )
            also = await desk.put(other)
            same = [LanternLit(room="x")] * facts, [applied(also) if facts else refused(also)]
            await cut_off.write(await desk.changeset(other, *same[0], settled=same[1]))  # prepares the statement
            wire.swallow = True
            written = await cut_off.write(changeset)

            assert written.repeated
            assert (written.revision, written.version) == (changeset.revision + 1, changeset.first_version - 1 + facts)
    loaded = await recorder.load(case)
    assert len(loaded.rows) == 5 * facts
    assert list(breaks(loaded.rows)) == []


async def test_a_write_that_never_arrived_says_so(desk: LogWriter, recorder: Recorder, database: Any) -> None:
    case = await desk.open_case()
    changeset = await desk.changeset(case, LanternLit(room="hall"))
    async with WireCounter(database.app_dsn) as wire:
        pool = await wired(wire, database)
        await pool.fetchval("SELECT 1")
        wire._server.close()
        wire._cut()
        with pytest.raises((OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)):
            await Recorder(pool).write(changeset)
        pool.terminate()

    assert (await recorder.load(case)).rows == []


async def test_two_recorders_that_decide_differently_never_mix(recorder: Recorder, owner: Pool, database: Any) -> None:
    trials = [(uuid4(), uuid4()) for _ in range(1000)]
    await owner.execute(_TRIALS, [case for case, _ in trials], [asked for _, asked in trials])
    dice = random.Random(7)
    async with await open_pool(database.app_dsn) as pool:
        both = (recorder, Recorder(pool))
        outcomes = [await one_trial(both, case, asked, dice) for case, asked in trials]

    assert sorted(set(outcomes)) == ["applied", "refused"], "one side always won: the trials did not race"
    stored = await owner.fetch(_OUTCOMES, [case for case, _ in trials])
    assert {row["stream_id"]: row["status"] for row in stored} == dict(
        zip([c for c, _ in trials], outcomes, strict=True)
    )
    assert [row for row in stored if (row["status"] == "applied") != (row["events"] == 1)] == []


async def one_trial(both: tuple[Recorder, Recorder], case: UUID, asked: UUID, dice: random.Random) -> str:
    """Both load the same revision; one appends an event, the other refuses the message. Only one may be written."""
    event = NewEvent(uuid4(), 1, "test.lantern-lit", b"{}", uuid4(), "{}")
    plans = {
        "applied": Changeset(case, 0, GENESIS, 1, [event], [MessageResult(asked, "applied", None, 1)]),
        "refused": Changeset(case, 0, GENESIS, 1, [], [MessageResult(asked, "refused")]),
    }
    order = dice.sample(sorted(plans), 2)
    await asyncio.gather(*(each.load(case) for each in both))
    ends = await asyncio.gather(
        *(each.write(plans[name]) for each, name in zip(both, order, strict=True)), return_exceptions=True
    )
    (won,) = [name for name, end in zip(order, ends, strict=True) if not isinstance(end, BaseException)]
    (lost,) = [end for end in ends if isinstance(end, BaseException)]
    assert isinstance(lost, StaleRevisionError), lost
    return won


async def wired(wire: WireCounter, database: Any) -> Pool:
    """Returns a pool of one connection through the wire counter."""
    return await open_pool(database.app_dsn, host=wire.folder, port=5432, max_size=1)


async def test_a_flights_number_is_given_once(inbox: Inbox) -> None:
    first = await inbox.start_stream("movement", "MOV-2026-0001", message(None))
    assert first.number == "MOV-2026-0001"

    with pytest.raises(NumberTakenError, match="MOV-2026-0001"):
        await inbox.start_stream("movement", "MOV-2026-0001", message(None))


_TRIALS = """
WITH trial AS (SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS t (case_id, asked)),
     opened AS (INSERT INTO streams (stream_id, kind, number) SELECT case_id, 'case', case_id::text FROM trial)
INSERT INTO inbox (message_id, stream_id, kind, name, body, body_hash, actor, source, receipt)
SELECT asked, case_id, 'staff', 'TestMessage', '', '', 'staff:amal', 'amal', 'r' FROM trial
"""

_OUTCOMES = """
SELECT stream_id, status, (SELECT count(*) FROM events e WHERE e.stream_id = i.stream_id) AS events
FROM inbox i WHERE stream_id = ANY ($1)
"""
