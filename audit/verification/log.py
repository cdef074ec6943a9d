"""Checks one stream of the log: versions, hash chain, head, order, sealed fields, and that it can be replayed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json

from audit.replay import replay_entries, with_metadata
from audit.verification.report import Finding, about
from audit.verification.snapshot import Snapshot
from store.crypto.keys import InvalidMasterKeyError, KeyStore
from store.log.hash_chain import ChainBreak, breaks
from store.log.mapper import SEALED, EventMapper, TamperedError, UnreadableEventError
from store.log.repository import read_rows
from store.log.rows import EventRow

CHAIN: Final = {"version": "stream", "found version": "stream", "the stored": "chain", "the head row": "head"}
"""The kind of finding of a chain break, by the start of its detail."""


def check_log(keys: KeyStore, stream: Snapshot) -> Iterator[Finding]:
    """Yields everything that is wrong with one stream of the log."""
    rows = stream.rows
    broken = [*_chain(stream, rows), *_order(stream)]
    unread = [*_readable(keys, stream, rows), *_keys(stream, rows)]
    yield from (*broken, *unread)
    if not broken and not unread:
        yield from _replayable(keys, stream, rows)


def _chain(stream: Snapshot, rows: list[EventRow]) -> Iterator[Finding]:
    for broken in breaks(rows, head=stream.head):
        yield about(stream.head, broken.version, broken.detail, _kind(broken))


def _kind(broken: ChainBreak) -> str:
    return next((kind for start, kind in CHAIN.items() if broken.detail.startswith(start)), "chain")


def _order(stream: Snapshot) -> Iterator[Finding]:
    """Checks that later versions come later in the feed; otherwise projections read the events in another order."""
    for event, successor in pairwise(stream.events):
        if (int(event["at_xact"]), event["position"]) >= (int(successor["at_xact"]), successor["position"]):
            yield about(stream.head, successor["version"], "the event precedes its predecessor in the feed", "order")


def _readable(keys: KeyStore, stream: Snapshot, rows: list[EventRow]) -> Iterator[Finding]:
    mapper = EventMapper(stream.keyring(keys))
    for row in rows:
        try:
            mapper.to_domain_event(row)
        except TamperedError as tampered:
            yield about(stream.head, row.originator_version, str(tampered), "seal")
        except UnreadableEventError as unreadable:
            yield about(stream.head, row.originator_version, str(unreadable), "unreadable")
        except InvalidMasterKeyError as bad:
            yield about(stream.head, row.originator_version, str(bad), "keys")
            return


def _keys(stream: Snapshot, rows: list[EventRow]) -> Iterator[Finding]:
    """Checks that every key has its row. Destroying a key keeps the row, so a key without a row was lost."""
    known = {key.key_id for key in stream.keys}
    for row in rows:
        for field, key_id in _sealed(row):
            if key_id not in known:
                detail = f"the encryption key of {field} is missing although it was not destroyed"
                yield about(stream.head, row.originator_version, detail, "keys")


def _sealed(row: EventRow) -> Iterator[tuple[str, UUID]]:
    if b'"sealed"' not in row.state:
        return
    try:
        sealed: dict[str, Any] = from_json(row.state).get(SEALED, {})
        yield from ((name, UUID(hex=each["k"])) for name, each in sealed.items())
    except (ValueError, KeyError, TypeError, AttributeError):
        return  # `_readable` reports it


def _replayable(keys: KeyStore, stream: Snapshot, rows: list[EventRow]) -> Iterator[Finding]:
    entries = [with_metadata(entry) for entry in read_rows(EventMapper(stream.keyring(keys)), rows)]
    _, applied = replay_entries(stream.head, entries)
    if len(applied) < len(entries):
        versions = {entry.version for entry in applied}
        first = next(entry.version for entry in entries if entry.version not in versions)
        yield about(stream.head, first, "the event cannot be applied to the state before it", "fold")
