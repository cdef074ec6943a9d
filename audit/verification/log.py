"""Whether a stream is what was recorded: versions, chain, head, order, sealed fields, and that it still folds."""

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

CHAIN: Final = {"version": "stream", "the stored bytes": "chain", "the head row": "head"}
"""What kind of finding a break is, by how it is said."""


def check_log(keys: KeyStore, stream: Snapshot) -> Iterator[Finding]:
    """Everything that is wrong with one stream of the log."""
    rows = stream.rows
    broken = [*_chain(stream, rows), *_order(stream)]
    unread = [*_readable(keys, stream, rows), *_keys(stream, rows)]
    yield from (*broken, *unread)
    if not broken and not unread:
        yield from _folds(keys, stream, rows)


def _chain(stream: Snapshot, rows: list[EventRow]) -> Iterator[Finding]:
    for broken in breaks(rows, head=stream.head):
        yield about(stream.head, broken.version, broken.detail, _kind(broken))


def _kind(broken: ChainBreak) -> str:
    return next((kind for start, kind in CHAIN.items() if broken.detail.startswith(start)), "chain")


def _order(stream: Snapshot) -> Iterator[Finding]:
    """Later versions stand later in the feed; otherwise readers were told another story."""
    for one, next_one in pairwise(stream.events):
        if (int(one["at_xact"]), one["position"]) >= (int(next_one["at_xact"]), next_one["position"]):
            yield about(stream.head, next_one["version"], "it stands before its predecessor in the feed", "order")


def _readable(keys: KeyStore, stream: Snapshot, rows: list[EventRow]) -> Iterator[Finding]:
    mapper = EventMapper(stream.keyring(keys))
    for row in rows:
        try:
            mapper.to_domain_event(row)
        except TamperedError as tampered:
            yield about(stream.head, row.version, str(tampered), "seal")
        except UnreadableEventError as unreadable:
            yield about(stream.head, row.version, str(unreadable), "unreadable")
        except InvalidMasterKeyError as bad:
            yield about(stream.head, row.version, str(bad), "keys")
            return


def _keys(stream: Snapshot, rows: list[EventRow]) -> Iterator[Finding]:
    """A destroyed key leaves its row behind; a key without a row was lost, not destroyed."""
    known = {key.key_id for key in stream.keys}
    for row in rows:
        for field, key_id in _sealed(row):
            if key_id not in known:
                yield about(stream.head, row.version, f"the key of {field} is gone and was not destroyed", "keys")


def _sealed(row: EventRow) -> Iterator[tuple[str, UUID]]:
    if b'"sealed"' not in row.state:
        return
    try:
        sealed: dict[str, Any] = from_json(row.state).get(SEALED, {})
        yield from ((name, UUID(hex=each["k"])) for name, each in sealed.items())
    except (ValueError, KeyError, TypeError, AttributeError):
        return  # reported as unreadable


def _folds(keys: KeyStore, stream: Snapshot, rows: list[EventRow]) -> Iterator[Finding]:
    entries = [with_metadata(entry) for entry in read_rows(EventMapper(stream.keyring(keys)), rows)]
    _, folded = replay_entries(stream.head, entries)
    if len(folded) < len(entries):
        done = {entry.row.version for entry in folded}
        first = next(entry.row.version for entry in entries if entry.row.version not in done)
        yield about(stream.head, first, "it does not follow from what stands before it", "fold")
