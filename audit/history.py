"""The history of a stream, oldest event first: a sentence, the actor, the times and the facts the reader may see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from audit.replay import Pool, Readable, ReplayedEvent, iso_utc, read
from domain.kernel.event import ENVELOPE
from store.crypto.keys import KeyStore


async def history(pool: Pool, keys: KeyStore, stream_id: UUID, *, readable: Readable = None) -> list[dict[str, Any]]:
    """Returns a stream's history as ``awda case history --json`` prints it. Raises ``UnknownStreamError``."""
    _, entries = await read(pool, keys, stream_id, readable)
    return history_of(entries)


def history_of(entries: Sequence[ReplayedEvent]) -> list[dict[str, Any]]:
    """Returns events as published JSON."""
    return [_as_json(entry) for entry in entries]


def _as_json(entry: ReplayedEvent) -> dict[str, Any]:
    """Returns one event as published JSON; fields for which the reader has no key are not among its facts."""
    return {
        "version": entry.version,
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
    """Returns the event in one sentence, or why it cannot be read."""
    return entry.event.say() if entry.event else f"This event cannot be read ({entry.problem})."


def facts(entry: ReplayedEvent) -> dict[str, Any]:
    """Returns the fields of the event as plain JSON."""
    if entry.event is None:
        return {}
    return entry.event.model_dump(mode="json", exclude=set(ENVELOPE), exclude_none=True)
