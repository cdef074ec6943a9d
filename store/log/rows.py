"""The records that the recorder reads and writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eventsourcing.persistence import StoredEvent

from store.crypto.keys import KeyRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class EventRow(StoredEvent):
    """A row of the log: the library's stored event, with its identity, metadata (JSON) and place in the hash chain.

    ``recorded_at`` is the time of recording by the programme clock (UTC).
    """

    originator_id: UUID
    event_id: UUID
    metadata: str
    hash: bytes
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A pending message of the inbox; ``body`` is encrypted, ``claimed_at`` is by the sender's clock (UTC)."""

    message_id: UUID
    kind: str
    name: str
    body: bytes
    actor: str
    source: str
    claimed_at: datetime | None
    received_at: datetime
    arrival: int
    status: str = "pending"


@dataclass(frozen=True, slots=True)
class StreamHead:
    """The head of a stream: its current revision, version, hash and next deadline (UTC)."""

    stream_id: UUID
    kind: str
    number: str
    revision: int
    version: int
    hash: bytes
    opened_at: datetime
    next_due: datetime | None = None
    open: bool = True


@dataclass(frozen=True, slots=True)
class StreamSnapshot:
    """Everything that one decision is based on. ``more``: further messages are pending beyond these."""

    now: datetime
    head: StreamHead | None
    rows: list[EventRow]
    waiting: list[WaitingMessage]
    keys: list[KeyRow]
    more: bool


@dataclass(frozen=True, slots=True)
class NewEvent(StoredEvent):
    """A stored event to append, with its identity and metadata (JSON)."""

    event_id: UUID
    metadata: str


@dataclass(frozen=True, slots=True)
class MessageResult:
    """The result of a message. ``result`` is JSON without personal data."""

    message_id: UUID
    status: str
    result: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message to a partner; ``body`` is encrypted."""

    outbox_id: UUID
    partner_id: str
    name: str
    body: bytes
    referral_id: str | None = None


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """A message to another stream; ``body`` is encrypted under a key of the receiving stream."""

    message_id: UUID
    stream_id: UUID
    name: str
    body: bytes
    body_hash: bytes
    actor: str = "system"
    source: str = "awda"
    kind: str = "letter"
    claimed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReferralToken:
    """The token that a partner quotes when it answers a referral."""

    token: str
    referral_id: str
    partner_id: str


@dataclass(frozen=True, slots=True)
class Changeset:
    """Everything that one recording writes. ``revision`` and ``prev_hash`` are those of the head it was decided on."""

    stream_id: UUID
    revision: int
    prev_hash: bytes
    first_version: int
    events: Sequence[NewEvent] = ()
    settled: Sequence[MessageResult] = ()
    outbox: Sequence[OutgoingMessage] = ()
    letters: Sequence[StreamMessage] = ()
    tokens: Sequence[ReferralToken] = ()
    withdrawn: Sequence[str] = ()
    """Referrals whose pending messages are withdrawn, except those named in ``endings``."""
    endings: Sequence[str] = ()
    handed_over: Sequence[str] = ()
    """Referrals whose manual deliveries were reported as made; those are marked as delivered, not withdrawn."""
    heads: Sequence[tuple[UUID, int]] = ()
    """Other streams that the decision is based on, each with the revision that was read."""
    idle: Sequence[UUID] = ()
    """Those of them that must have no pending message: a new message does not change the revision."""
    next_due: datetime | None = None
    open: bool = True


@dataclass(frozen=True, slots=True)
class Committed:
    """The stream after a recording. ``repeated``: it had been committed before, but the response was lost."""

    revision: int
    version: int
    hash: bytes
    recorded_at: datetime
    repeated: bool = field(default=False, compare=False)
