"""Checks that inbox and outbox agree with the log: no message is lost, recorded twice or invented."""

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
"""Kinds of message that record an event whenever they are applied. A letter may be applied without an event."""

SENDS_A_MESSAGE: Final = frozenset(
    {"ReferralSent", "ReferralAmended", "ReferralReminderSent", "ReferralCancellationNotified"}
)
"""Events that each put one message into the outbox."""


def check_messages(keys: KeyStore, stream: Snapshot) -> Iterator[Finding]:
    """Yields every difference between the messages and the events of one stream."""
    by_message = _events_by_message(stream)
    known = {row["message_id"]: row for row in stream.inbox}
    for row in stream.inbox:
        yield from _settled(stream, row, by_message.get(row["message_id"], []))
    for message_id, events in by_message.items():
        yield from _invented(stream, known.get(message_id), events)
    yield from _unprocessable(stream)
    yield from _outgoing(stream)
    yield from _sealed(keys, stream)


def _events_by_message(stream: Snapshot) -> Mapping[UUID, list[tuple[Record, str]]]:
    """Returns the events of each message, with the actor in their metadata."""
    found: dict[UUID, list[tuple[Record, str]]] = {}
    for event in stream.events:
        try:
            metadata: dict[str, Any] = from_json(event["metadata"])
            found.setdefault(UUID(metadata["message_id"]), []).append((event, metadata["actor"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # `check_log` reports it as unreadable
    return found


def _settled(stream: Snapshot, row: Record, events: list[tuple[Record, str]]) -> Iterator[Finding]:
    status, name = row["status"], f"message {row['message_id']}"
    if status in WITHOUT_EVENTS and events:
        version = events[0][0]["version"]
        yield _finding(stream, f"{name} is {status}, but version {version} was recorded because of it")
    if status not in SETTLED or status == "refused":
        return
    version = row["settled_version"]
    if version is None or version > stream.head.version:
        at = "without a version" if version is None else f"at version {version}"
        yield _finding(stream, f"{name} is {status} {at}, but the stream ends at version {stream.head.version}")
    elif status == "applied" and row["kind"] in ACTS and not events:
        yield _finding(stream, f"{name} is applied at version {version}, but no event was recorded because of it")
    elif version and version <= len(stream.events) and stream.events[version - 1]["recorded_at"] > row["settled_at"]:
        yield _finding(stream, f"{name} was settled at version {version} before that version was recorded")


def _unprocessable(stream: Snapshot) -> Iterator[Finding]:
    """Yields messages that could not be processed because a rule failed or their content is unreadable."""
    for row in stream.inbox:
        if row["status"] == "quarantined" and row["resolved_by"] is None:
            cause = from_json(row["result"] or "{}").get("cause")
            if cause in (CRASHED, UNREADABLE):
                detail = f"message {row['message_id']} could not be processed because {CAUSES[cause]}"
                yield _finding(stream, f"{detail}; see `awda partner quarantine show`", "quarantine")


CAUSES: Final = {CRASHED: "a rule failed with an error", UNREADABLE: "its content cannot be read"}
"""Why a message could not be processed, in words."""


def _invented(stream: Snapshot, row: Record | None, events: list[tuple[Record, str]]) -> Iterator[Finding]:
    event, actor = events[0]
    if row is None and actor != "system":
        detail = f"version {event['version']} refers to a message from {actor} that is not in the inbox"
        yield _finding(stream, detail, "event")


def _outgoing(stream: Snapshot) -> Iterator[Finding]:
    present = {row["outbox_id"] for row in stream.outbox}
    for event in stream.events:
        expected = outbox_id_of(stream.head.stream_id, event["version"])
        if event["topic"] in SENDS_A_MESSAGE and expected not in present:
            detail = f"version {event['version']} requires a message to a partner, but the outbox does not contain it"
            yield _finding(stream, detail, "outbox")


def _sealed(keys: KeyStore, stream: Snapshot) -> Iterator[Finding]:
    """Checks that every body can be decrypted, unless its key was destroyed."""
    keyring, known = stream.keyring(keys), {key.key_id for key in stream.keys}
    places = [(row, inbox.place_of(row["message_id"])) for row in stream.inbox]
    places += [(row, outbox.place_of(row["outbox_id"])) for row in stream.outbox]
    for row, place in places:
        try:
            if UUID(bytes=row["body"][:16]) not in known:
                yield _finding(stream, f"{place}: its encryption key is missing although it was not destroyed", "keys")
            else:
                open_body(keyring, stream.head.stream_id, place, row["body"])
        except TamperedError as tampered:
            yield _finding(stream, str(tampered), "seal")
        except (InvalidMasterKeyError, ValueError):
            yield _finding(stream, f"{place}: its encryption key cannot be used", "keys")


def _finding(stream: Snapshot, detail: str, kind: str = "inbox") -> Finding:
    return Finding(kind, stream.head.number, detail)
