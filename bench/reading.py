"""Replay of a long case, and projection into a read table, compared with the eventsourcing library's own means."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.utils import clear_topic_cache

from bench.append import library_environment, owner
from bench.measure import Measurement, paired
from bench.place import BenchServers
from domain.events.case import ContactAttempted
from domain.kernel.event import NEVER, Event, Metadata
from store.log.hash_chain import GENESIS
from store.log.mapper import EventMapper
from store.log.recorder import Recorder
from store.log.repository import Repository
from store.log.rows import Changeset
from store.projections.projector import PROJECTIONS, Projector
from tests.support.builders import a_closed_case

LONG: Final = 300

LOADS: Final = 40

ROUNDS: Final = 5

PROJECTED: Final = 4000

STREAMS: Final = 100

START: Final = "INSERT INTO streams (stream_id, kind, number) VALUES ($1, 'case', $2)"


def a_long_case() -> list[Event]:
    """Returns the events of a complete journey, with contact attempts until it is long enough."""
    scenario = a_closed_case()
    while len(scenario.events) < LONG:
        scenario.send("RecordContactAttempt", channel="PHONE", result="answered")
    return scenario.events[:LONG]


async def write(place: BenchServers, events: list[Event], mapper: EventMapper, stream: UUID, keep: int = LONG) -> None:
    await place.pool.execute(START, stream, f"R-{stream}")
    metadata = Metadata(happened_at=NEVER, recorded_at=NEVER, actor="staff:bench", message_id=stream, policy="2026-1")
    placed = [one.placed_in(stream, number, NEVER) for number, one in enumerate(events[:keep], 1)]
    new = [mapper.to_new_event(one, uuid5(stream, str(one.originator_version)), metadata) for one in placed]
    await Recorder(place.pool).write(Changeset(stream, 0, GENESIS, 1, events=new))


class LibraryJourney(Aggregate):
    """The same facts in the library's style: one aggregate with one method for each event."""

    def __init__(self) -> None:
        self.attempts = 0

    @event("Attempted")
    def attempt(self, channel: str, result: str, note: str) -> None:  # noqa: ARG002 (kept in the event)
        self.attempts += 1


class LibraryJourneys(Application[UUID]):
    """The library's application over its own PostgreSQL recorder."""


class LibraryReadTable(PostgresTrackingRecorder):
    """A read table in the library's style: one row for each case, upserted for each event."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS library_seen (id uuid PRIMARY KEY, attempts bigint NOT NULL)")

    def count(self, journey: UUID, tracking: Any) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(SEE, (journey,))


SEE: Final = """
INSERT INTO library_seen VALUES (%s, 1) ON CONFLICT (id) DO UPDATE SET attempts = library_seen.attempts + 1
"""


class LibraryProjection(Projection[LibraryReadTable]):
    """Processes one event at a time, as the library's runner delivers them."""

    name = "seen"
    topics = ()

    def process_event(self, domain_event: Any, tracking: Any) -> None:
        self.view.count(domain_event.originator_id, tracking)


async def load(place: BenchServers) -> Measurement:
    """Returns the time of Awda's replay relative to the library's ``repository.get``, both for 300 events."""
    stream, events = uuid4(), a_long_case()
    keyring = await place.keys.keyring(stream)
    await write(place, events, EventMapper(keyring), stream)
    journeys = LibraryJourneys(env=library_environment(place, "journeys"))
    journey = LibraryJourney()
    for _ in range(LONG - 1):
        journey.attempt("PHONE", "answered", "x" * 300)
    journeys.save(journey)
    repository = Repository(place.pool, place.keys)

    async def ours() -> float:
        started_at = time.perf_counter()
        for _ in range(LOADS):
            await repository.get(stream)
        return LOADS / (time.perf_counter() - started_at)

    async def theirs() -> float:
        started_at = time.perf_counter()
        for _ in range(LOADS):
            journeys.repository.get(journey.id)
        return LOADS / (time.perf_counter() - started_at)

    await ours(), await theirs()
    faster, detail = await paired(ours, theirs, ROUNDS)
    journeys.close()
    name = "replay: time for 300 events relative to the library's repository.get"
    return Measurement(name, 1 / faster, "ratio", 0.9, at_least=False, detail=detail)


async def project(place: BenchServers) -> Measurement:
    """Returns events per second of Awda's projector, from the start of the log, relative to the library's runner."""
    for number in range(STREAMS):
        stream = uuid5(UUID(int=7), str(number))
        notes = [ContactAttempted(channel="PHONE", result="answered")] * (PROJECTED // STREAMS - 1)
        mapper = EventMapper(await place.keys.keyring(stream))
        await write(place, [a_long_case()[0], *notes], mapper, stream, PROJECTED // STREAMS)
    total = await place.pool.fetchval("SELECT count(*) FROM events")
    journeys = LibraryJourneys(env=library_environment(place, "journeys"))
    started = journeys.recorder.max_notification_id() or 0
    for _ in range(PROJECTED // 100):
        journey = LibraryJourney()
        for _ in range(99):
            journey.attempt("PHONE", "answered", "x" * 300)
        journeys.save(journey)
    journeys.close()

    async def ours() -> float:
        await owner(
            place, "TRUNCATE case_list; UPDATE projections SET xact = '0', position = 0 WHERE name = 'case_list'"
        )
        view = [PROJECTIONS["case_list"]]
        started_at = time.perf_counter()
        await Projector(place.pool, view).catch_up()
        return float(total) / (time.perf_counter() - started_at)

    async def theirs() -> float:
        await owner(place, "DROP TABLE IF EXISTS library_seen, seen_tracking")
        return await asyncio.to_thread(run_library, place, started + PROJECTED)

    await ours()
    ratio, detail = await paired(ours, theirs, 3)
    name = "projection: events per second relative to the library's ProjectionRunner"
    return Measurement(name, ratio, "ratio", 20, at_least=True, detail=detail)


def run_library(place: BenchServers, upto: int) -> float:
    started_at = time.perf_counter()
    environment = library_environment(place, "journeys") | {"SEEN_PERSISTENCE_MODULE": "eventsourcing.postgres"}
    with ProjectionRunner(
        application_class=LibraryJourneys,
        projection_class=LibraryProjection,
        view_class=LibraryReadTable,
        env=environment,
    ) as runner:
        runner.wait(upto, timeout=120)
    return upto / (time.perf_counter() - started_at)


async def measure(place: BenchServers) -> list[Measurement]:
    clear_topic_cache()
    return [await load(place), await project(place)]
