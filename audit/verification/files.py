"""Checks that every file attached to a case is in the content store, unchanged. Erased cases need no files."""

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
"""How many characters of a file's digest a finding shows."""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that an event of a case refers to."""

    head: StreamHead
    version: int
    file_hash: str


def named_by(keys: KeyStore, stream: Snapshot) -> Iterator[NamedFile]:
    """Yields the files of one case, or none if its keys have been destroyed."""
    if stream.keyring(keys).erased:
        return
    for event in stream.events:
        if event["topic"] != EvidenceAttached.TOPIC:
            continue
        try:
            yield NamedFile(stream.head, event["version"], str(from_json(event["state"])["file_hash"]))
        except (ValueError, KeyError, TypeError):
            continue  # `check_log` reports it as unreadable


async def check_files(store: ContentStore, named: Sequence[NamedFile]) -> list[Finding]:
    """Returns a finding for each case that refers to a missing or changed file. Each file is read once."""
    problems: dict[str, str | None] = {}
    for each in named:
        if each.file_hash not in problems:
            problems[each.file_hash] = await asyncio.to_thread(_problem, store, each.file_hash)
    return [about(each.head, each.version, problem, "file") for each in named if (problem := problems[each.file_hash])]


def _problem(store: ContentStore, file_hash: str) -> str | None:
    try:
        with store.open(file_hash) as stored:
            if digest_of(stored) == file_hash:
                return None
    except (FileNotStoredError, OSError):
        return f"the file {file_hash[:SHOWN]}… is missing from the content store"
    return f"the file {file_hash[:SHOWN]}… differs from the file that was attached"
