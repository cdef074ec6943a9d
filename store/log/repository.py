"""The repository of aggregates: the one place that loads events, decrypts them and applies them in order."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from eventsourcing.application import AggregateNotFoundError

from domain.streams import KINDS, State
from store.crypto.keys import BODY, Keyring, KeyStore
from store.log.mapper import EventMapper, UnreadableEventError
from store.log.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from domain.kernel.event import Compartment, Event
    from store.log.rows import EventRow, StreamHead, StreamSnapshot
    from store.postgres.connections import Queries

log = logging.getLogger("awda.record")


class ReadRow(NamedTuple):
    """A row of the log and its event; ``event`` is ``None`` if the row cannot be read, and ``problem`` says why."""

    row: EventRow
    event: Event | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LoadedStream:
    """A stream as loaded: its snapshot, the keys to read it, and its rows in the order of their versions."""

    snapshot: StreamSnapshot
    keyring: Keyring
    entries: tuple[ReadRow, ...]

    @property
    def events(self) -> list[Event]:
        """The events that can be read."""
        return [entry.event for entry in self.entries if entry.event is not None]

    @property
    def unreadable(self) -> list[ReadRow]:
        """The rows that cannot be read. Nothing may be decided on a history that has any."""
        return [entry for entry in self.entries if entry.event is None]

    def aggregate(self, state: State | None = None) -> State | None:
        """Returns the aggregate, continued from ``state`` if given; ``None`` if there is no such stream.

        Raises ``UnreadableEventError`` if a row cannot be read.
        """
        if self.unreadable:
            raise UnreadableEventError(self.unreadable[0].problem)
        return project_aggregate(self.snapshot.head, self.events, state) if self.snapshot.head else None


class Repository:
    """Loads streams in one round trip each."""

    def __init__(self, connections: Queries, keys: KeyStore) -> None:
        self.recorder, self.keys = Recorder(connections), keys

    async def get(self, stream_id: UUID) -> State:
        """Returns the aggregate as it is now. Raises ``AggregateNotFoundError`` or ``UnreadableEventError``."""
        aggregate = (await self.load(stream_id, limit=0)).aggregate()
        if aggregate is None:
            raise AggregateNotFoundError(stream_id)
        return aggregate

    async def load(
        self,
        stream_id: UUID,
        *,
        after: int = 0,
        limit: int = 100,
        compartments: frozenset[Compartment] | None = None,
    ) -> LoadedStream:
        """Returns the events after a version, and up to ``limit`` pending messages.

        If ``compartments`` is given, fields sealed under any other compartment read as ``None``.
        """
        snapshot = await self.recorder.load(stream_id, after=after, limit=limit)
        keyring = self._keyring(stream_id, snapshot, compartments)
        return LoadedStream(snapshot, keyring, tuple(read_rows(EventMapper(keyring), snapshot.rows)))

    async def report_unreadable(self, loaded: LoadedStream) -> None:
        """Registers the rows of a stream that cannot be read, so that a person looks at them."""
        for entry in loaded.unreadable:
            log.error("stream %s version %s cannot be read", entry.row.originator_id, entry.row.originator_version)
            await self.recorder.quarantine(entry.row, entry.problem)

    def _keyring(self, stream_id: UUID, snapshot: StreamSnapshot, readable: frozenset[Compartment] | None) -> Keyring:
        if readable is None:
            return self.keys.from_rows(stream_id, snapshot.keys)
        allowed = {self.keys.master.key_id(stream_id, label) for label in (BODY, *readable)}
        return self.keys.from_rows(stream_id, [row for row in snapshot.keys if row.key_id in allowed])


def read_rows(mapper: EventMapper, rows: Iterable[EventRow]) -> Iterable[ReadRow]:
    """Reads rows one by one. A row that cannot be read yields an entry too, so that callers do not overlook it."""
    for row in rows:
        try:
            yield ReadRow(row, mapper.to_domain_event(row))
        except UnreadableEventError as unreadable:
            yield ReadRow(row, None, str(unreadable))


def project_aggregate(head: StreamHead, events: Iterable[Event], state: State | None = None) -> State:
    """Returns the aggregate after these events, starting from an empty one or from ``state``."""
    aggregate: State = state or KINDS[head.kind].blank(head.stream_id, head.number)
    for event in events:
        event.mutate(aggregate)
    return aggregate
