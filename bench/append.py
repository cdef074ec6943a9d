"""Append: Awda's recorder compared with the eventsourcing library's recorder and with a prepared INSERT.

Awda's recorder runs as in production: compare-and-set of the head, sealed fields, event ids, metadata, hash chain, and
fsync. Each append writes one event; a stream ends after twenty events, like a case.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID, uuid4, uuid5

import asyncpg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from bench.measure import Measurement, paired
from bench.place import BenchServers
from domain.events.case import NoteAdded
from domain.kernel.event import NEVER, Metadata
from store.log.hash_chain import GENESIS
from store.log.mapper import EventMapper
from store.log.recorder import Recorder
from store.log.rows import Changeset

SECONDS: Final = 1.0

ROUNDS: Final = 5

STREAM_OF: Final = 20

FRESH_STREAMS: Final = 400

NOTE: Final = "x" * 380

TARGETS: Final = {1: 1.8, 8: 3.5, 32: 5.0}

START = "INSERT INTO streams (stream_id, kind, number) VALUES ($1, 'case', $2)"


async def rate(writers: int, append: Callable[[int], Awaitable[None]]) -> float:
    """Returns the appends per second of concurrent writers."""
    done, until = [0] * writers, time.perf_counter() + SECONDS

    async def write(writer: int) -> None:
        while time.perf_counter() < until:
            await append(writer)
            done[writer] += 1

    started = time.perf_counter()
    await asyncio.gather(*(write(writer) for writer in range(writers)))
    return sum(done) / (time.perf_counter() - started)


@dataclass
class AwdaRecorder:
    """Awda's recorder. Streams are created beforehand, because intake creates them in production."""

    place: BenchServers
    fresh: list[tuple[UUID, EventMapper]]
    streams: dict[int, tuple[UUID, int, bytes, EventMapper]]

    @cached_property
    def recorder(self) -> Recorder:
        return Recorder(self.place.connections)

    async def append(self, writer: int) -> None:
        stream, version, previous, mapper = self.streams.get(writer) or self.begin()
        note = NoteAdded(note=NOTE).placed_in(stream, version + 1, NEVER)
        message_id = UUID(int=stream.int ^ version)  # in production the message has its id already
        metadata = Metadata(
            happened_at=NEVER, recorded_at=NEVER, actor="staff:bench", message_id=message_id, policy="2026-1"
        )
        new = mapper.to_new_event(note, uuid5(message_id, "1"), metadata)
        changeset = Changeset(stream, version, previous, version + 1, events=[new])
        written = await self.recorder.write(changeset)
        if written.version == STREAM_OF:
            self.streams.pop(writer, None)
        else:
            self.streams[writer] = (stream, written.version, written.hash, mapper)

    def begin(self) -> tuple[UUID, int, bytes, EventMapper]:
        stream, mapper = self.fresh.pop()
        return stream, 0, GENESIS, mapper

    async def run(self, writers: int) -> float:
        """Creates fresh streams, appends for a second, and returns the appends per second."""
        streams = [uuid4() for _ in range(FRESH_STREAMS)]
        await self.place.pool.executemany(START, [(stream, f"B-{stream}") for stream in streams])
        keyrings = await self.place.keys.keyrings(streams)
        self.fresh, self.streams = [(stream, EventMapper(keyrings[stream])) for stream in streams], {}
        return await rate(writers, self.append)


@dataclass
class LibraryRecorder:
    """The library's default recorder in a thread pool, as its documentation shows for asyncio."""

    recorder: PostgresApplicationRecorder
    threads: concurrent.futures.ThreadPoolExecutor
    streams: dict[int, tuple[UUID, int]]

    async def append(self, writer: int) -> None:
        stream, version = self.streams.get(writer, (uuid4(), 0))
        event = StoredEvent(stream, version + 1, "NoteAdded", b'{"note":"' + NOTE.encode() + b'"}')
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self.threads, self.recorder.insert_events, [event])
        self.streams[writer] = (uuid4(), 0) if version + 1 == STREAM_OF else (stream, version + 1)


def library_environment(place: BenchServers, name: str) -> dict[str, str]:
    """Returns the library's settings for the same server; ``name`` separates its tables."""
    parts = urlsplit(place.where.owner_dsn)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts.path.lstrip("/"),
        "POSTGRES_HOST": unquote(parse_qs(parts.query).get("host", [parts.hostname or ""])[0]),
        "POSTGRES_PORT": str(parts.port or 5432),
        "POSTGRES_USER": unquote(parts.username or ""),
        "POSTGRES_PASSWORD": unquote(parts.password or ""),
        "POSTGRES_POOL_SIZE": "32",
        "NAME": name,
    }


def library(place: BenchServers) -> tuple[PostgresDatastore, PostgresApplicationRecorder]:
    settings = library_environment(place, "library")
    datastore = PostgresDatastore(
        dbname=settings["POSTGRES_DBNAME"],
        host=settings["POSTGRES_HOST"],
        port=settings["POSTGRES_PORT"],
        user=settings["POSTGRES_USER"],
        password=settings["POSTGRES_PASSWORD"],
        pool_size=32,
        max_overflow=8,
    )
    recorder = PostgresApplicationRecorder(datastore, events_table_name="library_events")
    recorder.create_table()
    return datastore, recorder


@asynccontextmanager
async def raw(place: BenchServers) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Yields an append that only runs a prepared INSERT of the same bytes on its own connection."""
    await owner(place, "CREATE TABLE raw_events (id uuid, version bigint, state bytea, PRIMARY KEY (id, version))")
    await owner(place, "GRANT INSERT ON raw_events TO awda_app")
    held = [await place.pool.acquire() for _ in range(8)]
    prepared = [await one.prepare("INSERT INTO raw_events VALUES ($1, $2, $3)") for one in held]

    async def append(writer: int) -> None:
        await prepared[writer].fetch(uuid4(), 1, NOTE.encode())

    try:
        yield append
    finally:
        for one in held:
            await place.pool.release(one)


async def owner(place: BenchServers, statement: str) -> None:
    connection = await asyncpg.connect(place.where.owner_dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def measure(place: BenchServers) -> list[Measurement]:
    """Returns ratios of appends per second."""
    found = []
    datastore, recorder = library(place)
    with concurrent.futures.ThreadPoolExecutor(40) as threads:
        for writers, target in TARGETS.items():
            ours, theirs = (
                partial(AwdaRecorder(place, [], {}).run, writers),
                _run(writers, LibraryRecorder(recorder, threads, {}).append),
            )
            await ours(), await theirs()
            ratio, detail = await paired(ours, theirs, ROUNDS)
            name = f"append: events per second relative to the library's recorder, {writers} writers"
            found.append(Measurement(name, ratio, "ratio", target, at_least=True, detail=detail))
    datastore.close()
    async with raw(place) as bare:
        ratio, detail = await paired(partial(AwdaRecorder(place, [], {}).run, 8), _run(8, bare), ROUNDS)
    name = "append: events per second relative to a prepared INSERT, 8 writers"
    found.append(Measurement(name, ratio, "ratio", 0.4, at_least=True, detail=detail))
    return found


def _run(writers: int, append: Callable[[int], Awaitable[None]]) -> Any:
    async def run() -> float:
        return await rate(writers, append)

    return run
