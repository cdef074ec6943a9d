"""A stream folded anew from the log: as it is, as it was, or as it was known. Two folds of one moment are equal.

What was *true* goes by the time a thing is said to have happened, what was *known* by the time it was recorded.
A reader without a compartment folds without its key, so nothing sealed there can reach the page.
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
"""The compartments a reader may open; ``None`` is all of them."""

UNFIT: Final = (KeyError, AttributeError, TypeError, ValueError, OriginatorIDError, OriginatorVersionError)


PRINTED_AS: Final = {"events_by_topic": "facts"}
"""Names of state fields that are printed under an older name, so that replays made years apart can be compared."""


class UnknownStreamError(LookupError):
    """There is no case or movement of that id."""


@dataclass(frozen=True, slots=True)
class ReplayedEvent:
    """One row of the log, read. ``event`` is ``None`` if this programme cannot read it; ``problem`` says why."""

    row: EventRow
    event: Event | None
    metadata: Metadata
    problem: str = ""

    @property
    def effective_at(self) -> datetime:
        """When it happened, as far as anybody says: the sender's time, but never later than it was received (UTC)."""
        said = self.metadata.claimed_at
        return self.metadata.happened_at if said is None else min(said, self.metadata.happened_at)


@dataclass(frozen=True, slots=True)
class ReplayedStream:
    """A stream at one moment. ``entries`` are those folded in; ``left_out`` those that were not, though in the log."""

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
    """The stream as of a time, as known at a time, up to a version, or all three. Raises ``UnknownStreamError``."""
    head, entries = await read(pool, keys, stream_id, readable)
    wanted = [entry for entry in entries if _wanted(entry, as_of, known_at, to)]
    state, folded = replay_entries(head, wanted)
    chosen = {entry.row.version for entry in folded}
    return ReplayedStream(
        head, state, tuple(folded), tuple(entry for entry in entries if entry.row.version not in chosen)
    )


async def read(
    pool: Pool, keys: KeyStore, stream_id: UUID, readable: Readable = None
) -> tuple[StreamHead, tuple[ReplayedEvent, ...]]:
    """Every row of a stream, read with the keys of the compartments named. Raises ``UnknownStreamError``."""
    loaded = await Repository(pool, keys).load(stream_id, limit=0, compartments=readable)
    if loaded.snapshot.head is None:
        raise UnknownStreamError(f"no stream {stream_id}: ask for a case or movement by the number it was given")
    return loaded.snapshot.head, tuple(map(with_metadata, loaded.entries))


def with_metadata(entry: ReadRow) -> ReplayedEvent:
    """Adds the metadata of a row; metadata that cannot be read are a problem of the row as well."""
    try:
        metadata = Metadata.model_validate_json(entry.row.metadata)
    except ValueError:
        problem = f"version {entry.row.version}: the metadata cannot be read"
        return ReplayedEvent(entry.row, None, _unknown_origin(entry.row), problem)
    return ReplayedEvent(entry.row, entry.event, metadata, entry.problem)


def _unknown_origin(row: EventRow) -> Metadata:
    at = row.recorded_at
    return Metadata(happened_at=at, recorded_at=at, actor="unknown", message_id=NOWHERE, policy="unknown")


def _wanted(entry: ReplayedEvent, as_of: datetime | None, known_at: datetime | None, to: int | None) -> bool:
    return (
        (as_of is None or entry.effective_at <= as_of)
        and (known_at is None or entry.metadata.recorded_at <= known_at)
        and (to is None or entry.row.version <= to)
    )


def replay_entries(head: StreamHead, entries: Sequence[ReplayedEvent]) -> tuple[State, list[ReplayedEvent]]:
    """Fold in version order, counting anew where versions are left out.

    A fact that rests on one left out (an answer dated before its question) has no effect yet, and is left out too.
    """
    state: State = KINDS[head.kind].blank(head.stream_id, head.number)
    return state, [entry for entry in entries if entry.event is not None and _folds(state, entry.event)]


def _folds(state: Any, event: Event) -> bool:
    version = state.version + 1
    placed = event if event.originator_version == version else event.placed_in(state.id, version, event.timestamp)
    try:
        placed.mutate(state)
    except UNFIT:
        log.info("stream %s version %s rests on something left out", state.id, event.originator_version)
        _forget(state, placed)
        return False
    return True


def _forget(state: State, event: Event) -> None:
    """An event is remembered before it takes effect; one that took none is forgotten again."""
    remembered = state.events_by_topic.get(event.TOPIC, [])
    if remembered and remembered[-1] is event:
        remembered.pop()


def canonical(state: State) -> bytes:
    """The state as JSON with one spelling: equal states give equal bytes."""
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
    """What was remembered is in the log already: only which versions is said again."""
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
    """A time as it is written outside: ISO 8601, UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
