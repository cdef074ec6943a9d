"""Whether what came in and what goes out agrees with the log: nothing lost, nothing twice, nothing invented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json

from audit.verification.report import Finding
from audit.verification.snapshot import Record, Snapshot
from domain.signals.unprocessable import CRASHED, UNREADABLE
from store.crypto.keys import InvalidMasterKeyError, KeyStore
from store.log.mapper import TamperedError, open_body
from store.messages import inbox, outbox
from store.messages.inbox import SETTLED
from store.messages.outbox import outbox_id_of

WITHOUT_EVENTS: Final = frozenset({"pending", "refused"})

ACTS: Final = frozenset({"staff", "signal"})
"""Kinds of messages that leave an event whenever they are applied; a letter may find nothing left to do."""

GOES_OUT: Final = frozenset({"ReferralSent", "ReferralAmended", "ReferralReminderSent", "ReferralCancellationNotified"})
"""Events that each put one message into the outbox."""


def check_messages(keys: KeyStore, stream: Snapshot) -> Iterator[Finding]:
    """Everything in which messages and events of one stream disagree."""
    said = _events_by_message(stream)
    known = {row["message_id"]: row for row in stream.inbox}
    for row in stream.inbox:
        yield from _settled(stream, row, said.get(row["message_id"], []))
    for message_id, events in said.items():
        yield from _invented(stream, known.get(message_id), events)
    yield from _in_the_dark(stream)
    yield from _outgoing(stream)
    yield from _sealed(keys, stream)


def _events_by_message(stream: Snapshot) -> Mapping[UUID, list[tuple[Record, str]]]:
    """The events that each message brought about, with who is said to have caused them."""
    found: dict[UUID, list[tuple[Record, str]]] = {}
    for event in stream.events:
        try:
            about: dict[str, Any] = from_json(event["metadata"])
            found.setdefault(UUID(about["message_id"]), []).append((event, about["actor"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # reported as unreadable
    return found


def _settled(stream: Snapshot, row: Record, events: list[tuple[Record, str]]) -> Iterator[Finding]:
    status, name = row["status"], f"message {row['message_id']}"
    if status in WITHOUT_EVENTS and events:
        version = events[0][0]["version"]
        yield _finding(stream, f"{name} is {status}, and yet version {version} was recorded because of it")
    if status not in SETTLED or status == "refused":
        return
    version = row["settled_version"]
    if version is None or version > stream.head.version:
        yield _finding(stream, f"{name} is {status} at version {version}, but there are {stream.head.version}")
    elif status == "applied" and row["kind"] in ACTS and not events:
        yield _finding(stream, f"{name} is applied at version {version}, but no event was recorded because of it")
    elif version and version <= len(stream.events) and stream.events[version - 1]["recorded_at"] > row["settled_at"]:
        yield _finding(stream, f"{name} was settled at version {version} before that version was recorded")


def _in_the_dark(stream: Snapshot) -> Iterator[Finding]:
    """Messages that could not be taken in: a rule or a row is broken, and somebody must look."""
    for row in stream.inbox:
        if row["status"] == "quarantined" and row["resolved_by"] is None:
            cause = from_json(row["result"] or "{}").get("cause")
            if cause in (CRASHED, UNREADABLE):
                detail = f"message {row['message_id']} was not taken in ({cause}); see awda partner quarantine show"
                yield _finding(stream, detail, "quarantine")


def _invented(stream: Snapshot, row: Record | None, events: list[tuple[Record, str]]) -> Iterator[Finding]:
    event, actor = events[0]
    if row is None and actor != "system":
        yield _finding(stream, f"version {event['version']} names a message of {actor} that never came", "event")


def _outgoing(stream: Snapshot) -> Iterator[Finding]:
    there = {row["outbox_id"] for row in stream.outbox}
    for event in stream.events:
        wanted = outbox_id_of(stream.head.stream_id, event["version"])
        if event["topic"] in GOES_OUT and wanted not in there:
            yield _finding(stream, f"version {event['version']} tells a partner, but the outbox has no row", "outbox")


def _sealed(keys: KeyStore, stream: Snapshot) -> Iterator[Finding]:
    """Every body opens, or its key was destroyed."""
    keyring, known = stream.keyring(keys), {key.key_id for key in stream.keys}
    places = [(row, inbox.place_of(row["message_id"])) for row in stream.inbox]
    places += [(row, outbox.place_of(row["outbox_id"])) for row in stream.outbox]
    for row, place in places:
        try:
            if UUID(bytes=row["body"][:16]) not in known:
                yield _finding(stream, f"{place}: its key is gone and was not destroyed", "keys")
            else:
                open_body(keyring, stream.head.stream_id, place, row["body"])
        except TamperedError as tampered:
            yield _finding(stream, str(tampered), "seal")
        except (InvalidMasterKeyError, ValueError):
            yield _finding(stream, f"{place}: its key cannot be used", "keys")


def _finding(stream: Snapshot, detail: str, kind: str = "inbox") -> Finding:
    return Finding(kind, stream.head.number, detail)
