"""The hash chain: each event carries a digest of itself and of the event before it.

The digest covers the bytes as they are stored: a destroyed key does not break the chain, a changed byte does.
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
    """The parts of an event that the digest covers, besides its stream and version."""

    @property
    def topic(self) -> str: ...
    @property
    def event_id(self) -> UUID: ...
    @property
    def metadata(self) -> str: ...
    @property
    def state(self) -> bytes: ...


class ChainBreak(NamedTuple):
    """A place where a stored stream differs from what was recorded.

    The verification derives the kind of its finding from the first words of ``detail``.
    """

    stream_id: UUID
    version: int
    detail: str


def link(previous: bytes, stream_id: UUID, version: int, event: ChainedEvent) -> bytes:
    """Returns the digest of one event, given the digest of the event before it."""
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
    """Yields every row of a stream that does not follow from the row before it.

    With the ``head`` row, a stream whose last events were removed is detected as well.
    """
    for row in rows:
        version += 1
        if row.originator_version != version:
            yield ChainBreak(
                row.originator_id, version, f"version {row.originator_version} was found instead of version {version}"
            )
            version = row.originator_version
        if link(previous, row.originator_id, row.originator_version, row) != row.hash:
            yield ChainBreak(row.originator_id, row.originator_version, "the stored bytes do not match the stored hash")
        previous = row.hash
    if head and (head.version, head.hash) != (version, previous):
        detail = (
            f"the head row has version {head.version}, but the events end at version {version} or with another hash"
        )
        yield ChainBreak(head.stream_id, min(head.version, version) + 1, detail)
