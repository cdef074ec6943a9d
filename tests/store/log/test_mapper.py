"""The mapper: what is stored of an event, and what can be read with and without its keys."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain.kernel.event import Compartment
from store.crypto.keys import BODY, KeyStore
from store.log.hash_chain import breaks
from store.log.mapper import (
    EventMapper,
    KeyErasedError,
    TamperedError,
    UnknownTopicError,
    UnreadableEventError,
    open_body,
    seal_body,
)
from store.log.recorder import Recorder
from store.log.repository import read_rows
from store.log.rows import EventRow, NewEvent
from tests.support.event_fixtures import LanternLit, LetterKept, LogWriter, WallPainted, new

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)

SECRET = LetterKept(shelf=3, words="رسالة من سبها", seen_on=NOON)


@pytest.fixture
async def case(desk: LogWriter) -> UUID:
    return await desk.open_case()


@pytest.fixture
async def mapper(desk: LogWriter, case: UUID) -> EventMapper:
    return EventMapper(await desk.ring(case))


def stored(entry: NewEvent, case: UUID, version: int = 1) -> EventRow:
    return EventRow(case, version, entry.topic, entry.state, entry.event_id, entry.metadata, bytes(32), NOON)


@pytest.mark.parametrize(
    "fact", [LanternLit(room="hall", lamps=(1, 2)), SECRET, LetterKept(shelf=1), WallPainted(colour="blue")]
)
async def test_a_fact_is_read_as_it_was_written(mapper: EventMapper, case: UUID, fact: Any) -> None:
    fact = fact.placed_in(case, 1, NOON)

    assert mapper.to_domain_event(stored(new(mapper, fact, uuid4(), NOON), case)) == fact


async def test_what_is_not_sealed_is_plain_json_and_what_is_sealed_is_not_there(
    mapper: EventMapper, case: UUID
) -> None:
    state = new(mapper, SECRET.placed_in(case, 1, NOON), uuid4(), NOON).state

    read = json.loads(state)
    assert (sorted(read), read["shelf"], sorted(read["sealed"])) == (["sealed", "shelf"], 3, ["seen_on", "words"])
    assert "سبها" not in state.decode()
    assert b"2026-03-09" not in state


async def test_short_and_shorter_words_are_stored_at_the_same_length(mapper: EventMapper, case: UUID) -> None:
    facts = [LetterKept(shelf=1, words=words).placed_in(case, 1, NOON) for words in ("no", "yes, a lot")]

    assert len({len(new(mapper, fact, uuid4(), NOON).state) for fact in facts}) == 1


async def test_after_erasure_the_fact_remains_without_its_words_and_the_chain_holds(
    desk: LogWriter, case: UUID, keys: KeyStore, recorder: Recorder
) -> None:
    await desk.record(case, LanternLit(room="hall"), SECRET)
    await keys.destroy(case)
    loaded = await recorder.load(case)
    ring = keys.from_rows(case, loaded.keys)

    lantern, letter = (entry.event for entry in read_rows(EventMapper(ring), loaded.rows))

    assert ring.erased
    assert lantern is not None
    assert letter is not None, "an event stays readable when its keys are gone"
    assert lantern.facts == {"room": "hall", "lamps": ()}
    assert letter.facts == {"shelf": 3, "words": None, "seen_on": None}
    assert "[erased]" in letter.say()
    assert list(breaks(loaded.rows, head=loaded.head)) == []


async def test_nothing_more_is_sealed_for_one_who_was_erased(desk: LogWriter, case: UUID, keys: KeyStore) -> None:
    await keys.destroy(case)

    with pytest.raises(KeyErasedError, match=str(case)):
        await desk.record(case, SECRET)


@pytest.mark.parametrize("moved", ["stream", "version", "field"])
async def test_a_ciphertext_that_was_moved_is_refused(
    desk: LogWriter, mapper: EventMapper, case: UUID, moved: str
) -> None:
    row = stored(new(mapper, SECRET.placed_in(case, 1, NOON), uuid4(), NOON), case)
    state = json.loads(row.state)
    state["sealed"]["words"], state["sealed"]["seen_on"] = state["sealed"]["seen_on"], state["sealed"]["words"]
    forged = {
        "stream": replace(row, originator_id=uuid4()),
        "version": replace(row, originator_version=2),
        "field": replace(row, state=json.dumps(state).encode()),
    }

    with pytest.raises(TamperedError):
        mapper.to_domain_event(forged[moved])


async def test_a_changed_ciphertext_is_refused(mapper: EventMapper, case: UUID) -> None:
    row = stored(new(mapper, SECRET.placed_in(case, 1, NOON), uuid4(), NOON), case)
    state = json.loads(row.state)
    cipher = state["sealed"]["words"]["c"]
    state["sealed"]["words"]["c"] = ("B" if cipher[0] != "B" else "C") + cipher[1:]

    with pytest.raises(TamperedError):
        mapper.to_domain_event(replace(row, state=json.dumps(state).encode()))


@pytest.mark.parametrize("topic", ["os:system", "test.never-declared", "tests.support.event_fixtures:LanternLit"])
async def test_an_unknown_topic_is_neither_resolved_nor_fatal(
    desk: LogWriter, case: UUID, recorder: Recorder, pool: Pool, topic: str
) -> None:
    changeset = await desk.changeset(case, LanternLit(room="hall"), LanternLit(room="attic"))
    strange = replace(changeset.events[0], topic=topic)
    await recorder.write(replace(changeset, events=[strange, changeset.events[1]]))
    loaded = await recorder.load(case)
    mapper = EventMapper(await desk.ring(case))

    entries = list(read_rows(mapper, loaded.rows))
    events = [entry.event for entry in entries if entry.event is not None]
    (skipped,) = [entry for entry in entries if entry.event is None]
    for _ in range(2):
        await recorder.quarantine(skipped.row, skipped.problem)

    assert [event.facts["room"] for event in events] == ["attic"]
    found = await pool.fetch("SELECT stream_id, version, topic, detail FROM quarantined_rows")
    assert [tuple(row)[:3] for row in found] == [(case, 1, topic)]
    assert topic in found[0]["detail"]
    with pytest.raises(UnknownTopicError):
        mapper.to_domain_event(skipped.row)


async def test_an_unfit_field_is_named_and_its_value_is_not(mapper: EventMapper, case: UUID) -> None:
    row = stored(
        NewEvent(case, 1, "test.letter-kept", b'{"shelf":"Fatima"}', uuid4(), '{"happened_at":"2026-03-09T12:00:00Z"}'),
        case,
    )

    with pytest.raises(UnreadableEventError, match="shelf") as caught:
        mapper.to_domain_event(row)

    assert "Fatima" not in str(caught.value)


async def test_an_older_version_is_brought_up_to_date(mapper: EventMapper, case: UUID) -> None:
    row = stored(
        NewEvent(case, 1, "test.wall-painted", b'{"paint":"ochre"}', uuid4(), '{"happened_at":"2026-03-09T12:00:00Z"}'),
        case,
    )

    assert mapper.to_domain_event(row) == WallPainted(colour="ochre").placed_in(case, 1, NOON)


@pytest.mark.parametrize("topic", ["test.wall-painted", "test.lantern-lit"])
async def test_a_newer_version_is_not_guessed_at(mapper: EventMapper, case: UUID, topic: str) -> None:
    state = b'{"_v":3,"colour":"blue","room":"hall"}'

    with pytest.raises(UnreadableEventError, match="version 3"):
        mapper.to_domain_event(
            stored(NewEvent(case, 1, topic, state, uuid4(), '{"happened_at":"2026-03-09T12:00:00Z"}'), case)
        )


async def test_the_librarys_own_names_work_too(mapper: EventMapper, case: UUID) -> None:
    fact = SECRET.placed_in(case, 1, NOON)

    assert mapper.to_domain_event(mapper.to_stored_event(fact)).facts == fact.facts


async def test_a_body_opens_only_where_it_was_sealed(desk: LogWriter, case: UUID, keys: KeyStore) -> None:
    ring = await keys.keyring(case, (BODY, Compartment.PROT))
    sealed = seal_body(ring, case, "inbox:1", b"by hand")

    assert open_body(ring, case, "inbox:1", sealed) == b"by hand"
    with pytest.raises(TamperedError):
        open_body(ring, case, "inbox:2", sealed)
    with pytest.raises(TamperedError):
        open_body(ring, uuid4(), "inbox:1", sealed)
    await keys.destroy(case)
    assert open_body(await desk.ring(case), case, "inbox:1", sealed) is None
