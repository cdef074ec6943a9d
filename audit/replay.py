"""Replay of a stream from the log: its present state, its state as of a time, or its state as known at a time.

*As of* a time selects events by when they happened; *known at* a time selects them by when they were recorded. Two
replays with the same arguments give equal states. A reader who may not open a compartment replays without its keys,
so its sealed data never reach the output.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg
from eventsourcing.domain import OriginatorIDError, OriginatorVersionError
from pydantic import BaseModel

from domain.kernel.event import NOWHERE, Compartment, Event, Metadata
from domain.streams import KINDS, State
from store.crypto.keys import KeyStore
from store.log.repository import ReadRow, Repository
from store.log.rows import EventRow, StreamHead

log = logging.getLogger("awda.audit")

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

Readable: TypeAlias = "frozenset[Compartment] | None"
"""The compartments that a reader may open; ``None`` means all of them."""

UNFIT: Final = (KeyError, AttributeError, TypeError, ValueError, OriginatorIDError, OriginatorVersionError)
"""What an event raises when it is applied to a state that it does not fit."""


PRINTED_AS: Final = {"events_by_topic": "facts"}
"""Fields that are printed under an older name, so that replays of different years can be compared."""


class UnknownStreamError(LookupError):
    """There is no stream (case, movement, partner desk or call request) with this id."""


@dataclass(frozen=True, slots=True)
class ReplayedEvent:
    """One row of the log. ``event`` is ``None`` if this version cannot read it; ``problem`` then says why."""

    row: EventRow
    event: Event | None
    metadata: Metadata
    problem: str = ""

    @property
    def version(self) -> int:
        """Returns the version of the aggregate after this event."""
        return self.row.originator_version

    @property
    def effective_at(self) -> datetime:
        """Returns when the event happened (UTC): the time claimed by the sender, but never after its receipt."""
        claimed = self.metadata.claimed_at
        return self.metadata.happened_at if claimed is None else min(claimed, self.metadata.happened_at)


@dataclass(frozen=True, slots=True)
class ReplayedStream:
    """A stream at one time. ``entries`` are the events applied; ``left_out`` those in the log that were not."""

    head: StreamHead
    state: State
    entries: tuple[ReplayedEvent, ...]
    left_out: tuple[ReplayedEvent, ...] = ()


async def replay(
    pool: Pool,
    keys: KeyStore,
    stream_id: UUID,
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    to: int | None = None,
    readable: Readable = None,
) -> ReplayedStream:
    """Returns the stream as of a time, as known at a time, up to a version, or any combination of these.

    Times are in UTC. Raises ``UnknownStreamError``.
    """
    head, entries = await read(pool, keys, stream_id, readable)
    selected = [entry for entry in entries if _selected(entry, as_of, known_at, to)]
    state, applied = replay_entries(head, selected)
    versions = {entry.version for entry in applied}
    return ReplayedStream(
        head, state, tuple(applied), tuple(entry for entry in entries if entry.version not in versions)
    )


async def read(
    pool: Pool, keys: KeyStore, stream_id: UUID, readable: Readable = None
) -> tuple[StreamHead, tuple[ReplayedEvent, ...]]:
    """Returns every event of a stream, decrypted with the keys of ``readable``. Raises ``UnknownStreamError``."""
    loaded = await Repository(pool, keys).load(stream_id, limit=0, compartments=readable)
    if loaded.snapshot.head is None:
        raise UnknownStreamError(f"there is no stream with the id {stream_id}; use the number of the case or movement")
    return loaded.snapshot.head, tuple(map(with_metadata, loaded.entries))


def with_metadata(entry: ReadRow) -> ReplayedEvent:
    """Adds the metadata of a row. A row whose metadata cannot be read gives an entry too, so it is not overlooked."""
    try:
        metadata = Metadata.model_validate_json(entry.row.metadata)
    except ValueError:
        problem = f"version {entry.row.originator_version}: the metadata cannot be read"
        return ReplayedEvent(entry.row, None, _unknown_origin(entry.row), problem)
    return ReplayedEvent(entry.row, entry.event, metadata, entry.problem)


def _unknown_origin(row: EventRow) -> Metadata:
    at = row.recorded_at
    return Metadata(happened_at=at, recorded_at=at, actor="unknown", message_id=NOWHERE, policy="unknown")


def _selected(entry: ReplayedEvent, as_of: datetime | None, known_at: datetime | None, to: int | None) -> bool:
    return (
        (as_of is None or entry.effective_at <= as_of)
        and (known_at is None or entry.metadata.recorded_at <= known_at)
        and (to is None or entry.version <= to)
    )


def replay_entries(head: StreamHead, entries: Sequence[ReplayedEvent]) -> tuple[State, list[ReplayedEvent]]:
    """Applies events in version order, and renumbers them where versions are left out.

    Returns the state and the events applied. An event that depends on one left out (for example a report dated before
    its referral) cannot take effect and is left out too.
    """
    state: State = KINDS[head.kind].blank(head.stream_id, head.number)
    return state, [entry for entry in entries if entry.event is not None and _applied(state, entry.event)]


def _applied(state: Any, event: Event) -> bool:
    version = state.version + 1
    placed = event if event.originator_version == version else event.placed_in(state.id, version, event.timestamp)
    try:
        placed.mutate(state)
    except UNFIT:
        log.info("stream %s version %s depends on an event that is left out", state.id, event.originator_version)
        _forget(state, placed)
        return False
    return True


def _forget(state: State, event: Event) -> None:
    """Removes an event that took no effect: an aggregate keeps each event before it applies it."""
    remembered = state.events_by_topic.get(event.TOPIC, [])
    if remembered and remembered[-1] is event:
        remembered.pop()


def canonical(state: State) -> bytes:
    """Returns the state as canonical JSON: equal states give equal bytes."""
    plain = _plain(state)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {
            PRINTED_AS.get(each.name, each.name): _part(each.name, getattr(value, each.name)) for each in fields(value)
        }
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(each) for each in value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return _plain_word(value)


def _part(name: str, value: Any) -> Any:
    """Returns the past events of a state as their versions only, since the log holds their content."""
    if name == "events_by_topic":
        return {topic: [event.originator_version for event in events] for topic, events in value.items() if events}
    return _plain(value)


def _plain_word(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return iso_utc(value)
    if isinstance(value, (UUID, date)):
        return str(value)
    return value


def iso_utc(at: datetime) -> str:
    """Returns a time as ISO 8601 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
