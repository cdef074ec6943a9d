"""The rows that a recording reads and writes."""

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

    ``recorded_at`` is the programme's clock at recording (UTC).
    """

    originator_id: UUID
    event_id: UUID
    metadata: str
    hash: bytes
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message not yet settled; ``body`` is sealed, ``claimed_at`` is by the sender's clock."""

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
    """Where a stream stands."""

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
    """What one decision rests on. ``more`` says that further messages wait behind these."""

    now: datetime
    head: StreamHead | None
    rows: list[EventRow]
    waiting: list[WaitingMessage]
    keys: list[KeyRow]
    more: bool


@dataclass(frozen=True, slots=True)
class NewEvent(StoredEvent):
    """A stored event that is to be appended, with its identity and metadata (JSON)."""

    event_id: UUID
    metadata: str


@dataclass(frozen=True, slots=True)
class MessageResult:
    """What became of a message. ``result`` is JSON without personal data."""

    message_id: UUID
    status: str
    result: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message to a partner; ``body`` is sealed."""

    outbox_id: UUID
    partner_id: str
    name: str
    body: bytes
    referral_id: str | None = None


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """A message to another stream of ours; ``body`` is sealed under that stream's key."""

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
    """What a partner quotes when answering a referral."""

    token: str
    referral_id: str
    partner_id: str


@dataclass(frozen=True, slots=True)
class Changeset:
    """All that one recording writes. ``revision`` and ``prev_hash`` are those of the head it was decided on."""

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
    """Referrals of which nothing more may leave but what is named in ``endings``."""
    endings: Sequence[str] = ()
    brought: Sequence[str] = ()
    """Referrals of which somebody has brought what was to be brought by hand; that is not taken back."""
    heads: Sequence[tuple[UUID, int]] = ()
    """Other streams this decision looked at, each at the revision it was seen at."""
    quiet: Sequence[UUID] = ()
    """Those of them to which nothing may have been said since that is not settled: an arrival moves no revision."""
    next_due: datetime | None = None
    open: bool = True


@dataclass(frozen=True, slots=True)
class Committed:
    """Where the stream stands after a recording. ``repeated``: it had been written before, unacknowledged."""

    revision: int
    version: int
    hash: bytes
    recorded_at: datetime
    repeated: bool = field(default=False, compare=False)
