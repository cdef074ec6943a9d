"""Whether every file that a case names is still kept, byte for byte. Whoever was erased needs none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic_core import from_json

from audit.verification.report import Finding, about
from audit.verification.snapshot import Snapshot
from domain.events.evidence import EvidenceAttached
from store.content_store import ContentStore, FileNotStoredError, digest_of
from store.crypto.keys import KeyStore
from store.log.rows import StreamHead

SHOWN: Final = 16


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file, where a case names it."""

    head: StreamHead
    version: int
    file_hash: str


def named_by(keys: KeyStore, stream: Snapshot) -> Iterator[NamedFile]:
    """The files of one case, unless its keys have been destroyed."""
    if stream.keyring(keys).erased:
        return
    for event in stream.events:
        if event["topic"] != EvidenceAttached.TOPIC:
            continue
        try:
            yield NamedFile(stream.head, event["version"], str(from_json(event["state"])["file_hash"]))
        except (ValueError, KeyError, TypeError):
            continue  # reported as unreadable


async def check_files(store: ContentStore, named: Sequence[NamedFile]) -> list[Finding]:
    """Each file once, however many cases name it."""
    wrong: dict[str, str | None] = {}
    for each in named:
        if each.file_hash not in wrong:
            wrong[each.file_hash] = await asyncio.to_thread(_wrong, store, each.file_hash)
    return [about(each.head, each.version, told, "file") for each in named if (told := wrong[each.file_hash])]


def _wrong(store: ContentStore, file_hash: str) -> str | None:
    try:
        with store.open(file_hash) as stored:
            if digest_of(stored) == file_hash:
                return None
    except (FileNotStoredError, OSError):
        return f"the file {file_hash[:SHOWN]}… is not in the content store"
    return f"the file {file_hash[:SHOWN]}… is not the one that was attached"
