"""What happened, oldest first: one sentence per event, with who, when, and what a reader may know of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from audit.replay import Pool, Readable, ReplayedEvent, iso_utc, read
from domain.kernel.event import ENVELOPE
from store.crypto.keys import KeyStore


async def history(pool: Pool, keys: KeyStore, stream_id: UUID, *, readable: Readable = None) -> list[dict[str, Any]]:
    """A stream's history as ``awda case history --json`` prints it. Raises ``NoSuchStream``."""
    _, entries = await read(pool, keys, stream_id, readable)
    return told(entries)


def told(entries: Sequence[ReplayedEvent]) -> list[dict[str, Any]]:
    """Entries as they are shown."""
    return [tell(entry) for entry in entries]


def tell(entry: ReplayedEvent) -> dict[str, Any]:
    """One entry as it is shown; what the reader has no key for is simply not among its facts."""
    return {
        "version": entry.row.version,
        "topic": entry.row.topic,
        "name": entry.event.name if entry.event else entry.row.topic,
        "sentence": sentence(entry),
        "actor": entry.metadata.actor,
        "happened_at": iso_utc(entry.effective_at),
        "recorded_at": iso_utc(entry.metadata.recorded_at),
        "message_id": str(entry.metadata.message_id),
        "facts": facts(entry),
    }


def sentence(entry: ReplayedEvent) -> str:
    """The event in one sentence, or what keeps it from being read."""
    return entry.event.say() if entry.event else f"This row cannot be read ({entry.problem})."


def facts(entry: ReplayedEvent) -> dict[str, Any]:
    """What the event says, as plain JSON."""
    if entry.event is None:
        return {}
    return entry.event.model_dump(mode="json", exclude=set(ENVELOPE), exclude_none=True)
