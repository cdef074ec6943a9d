"""The hash chain: every event carries a digest of itself and of the one before.

It covers the bytes as they are stored, so a destroyed key does not break it, and a changed byte does.
"""

from __future__ import annotations

from hashlib import sha256
from struct import pack
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from store.log.rows import EventRow, StreamHead

GENESIS = bytes(32)


class ChainedEvent(Protocol):
    """What the digest covers of an event, beside its place."""

    @property
    def topic(self) -> str: ...
    @property
    def event_id(self) -> UUID: ...
    @property
    def metadata(self) -> str: ...
    @property
    def state(self) -> bytes: ...


class ChainBreak(NamedTuple):
    """Where a stored stream stops being what was recorded."""

    stream_id: UUID
    version: int
    detail: str


def link(previous: bytes, stream_id: UUID, version: int, event: ChainedEvent) -> bytes:
    """The digest of one event, given that of the event before it."""
    name, about = event.topic.encode(), event.metadata.encode()
    parts = (
        previous,
        stream_id.bytes,
        pack(">QI", version, len(name)),
        name,
        event.event_id.bytes,
        pack(">I", len(about)),
        about,
        pack(">I", len(event.state)),
        event.state,
    )
    return sha256(b"".join(parts)).digest()


def breaks(
    rows: Iterable[EventRow], previous: bytes = GENESIS, version: int = 0, head: StreamHead | None = None
) -> Iterator[ChainBreak]:
    """Walk one stream in order and name every row that does not follow from the one before.

    With its head row, a stream whose end was cut off is found too.
    """
    for row in rows:
        version += 1
        if row.originator_version != version:
            yield ChainBreak(
                row.originator_id, version, f"version {row.originator_version} stands where {version} should"
            )
            version = row.originator_version
        if link(previous, row.originator_id, row.originator_version, row) != row.hash:
            yield ChainBreak(row.originator_id, row.originator_version, "the stored bytes do not give the stored hash")
        previous = row.hash
    if head and (head.version, head.hash) != (version, previous):
        detail = f"the head row stands at version {head.version}, the events end at {version} or with another hash"
        yield ChainBreak(head.stream_id, min(head.version, version) + 1, detail)
