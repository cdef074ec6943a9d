"""The mapper between domain events and stored events: JSON, with sealed fields encrypted under the stream's keys.

Encryption binds a value to its place (stream, version, topic and field, or message id), so that a value cannot be
moved to another place. If the key has been destroyed, the field reads as ``None`` and the other fields remain readable.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from functools import cache, lru_cache
from os import urandom
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from eventsourcing.persistence import JSONTranscoder, Mapper, MapperDeserialisationError, StoredEvent
from pydantic import AwareDatetime, BaseModel, ValidationError
from pydantic_core import from_json, to_json

from domain.kernel.event import ENVELOPE, REGISTRY, Compartment, Event, Metadata, sealed_fields
from store.crypto.keys import BODY, NONCE
from store.log.rows import EventRow, NewEvent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from eventsourcing.domain import DomainEventProtocol

    from store.crypto.keys import Key, Keyring

SEALED: Final = "sealed"

EDITION: Final = "_v"

_ENVELOPE: Final = set(ENVELOPE)

BLOCK: Final = 32  # sealed values are padded (bytes), so that their length reveals little


class UnreadableEventError(MapperDeserialisationError):
    """A stored event cannot be read. Other events of the log are not affected."""


class UnknownTopicError(UnreadableEventError):
    """A stored event has a topic that no event class declares. Topics are never resolved by importing a module."""


class TamperedError(UnreadableEventError):
    """An encrypted value was moved from its place or was changed."""


class KeyErasedError(Exception):
    """The key to encrypt a value for a stream has been destroyed, or was never created."""


class _When(BaseModel):
    happened_at: AwareDatetime


class _Shape(NamedTuple):
    """How the fields of an event class are stored. ``plain``: nothing is encrypted, and the class has version 1."""

    sealed: Mapping[str, Compartment]
    plain: bool


class EventMapper(Mapper[UUID]):
    """Maps the events of one stream to stored events and back, with the keys of that stream."""

    def __init__(self, keyring: Keyring) -> None:
        super().__init__(_UNUSED)
        self.keyring = keyring

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Returns the event as it is stored. Raises ``KeyErasedError`` if the key for a sealed field is destroyed."""
        if not isinstance(domain_event, Event):
            given = type(domain_event).__name__
            msg = f"{given} is not an event of this application: derive it from domain.kernel.event.Event"
            raise TypeError(msg)
        event = domain_event
        return StoredEvent(event.originator_id, event.originator_version, event.TOPIC, self._state(event))

    def to_domain_event(self, stored_event: StoredEvent) -> Event:
        """Returns the event of a stored event; its timestamp is read from the metadata of a row of the log.

        Raises ``UnreadableEventError``.
        """
        stream_id = stored_event.originator_id
        if not isinstance(stream_id, UUID):
            msg = f"Originator id {stream_id!r} is not a UUID"
            raise UnreadableEventError(msg)
        event = self._event(stream_id, stored_event.originator_version, stored_event.topic, stored_event.state)
        if isinstance(stored_event, EventRow):
            event.__dict__["timestamp"] = _happened_at(stored_event)
        return event

    def to_new_event(self, event: Event, event_id: UUID, metadata: Metadata) -> NewEvent:
        """Returns the stored event that the recorder appends, with its identity and metadata."""
        stored = self.to_stored_event(event)
        about = metadata.model_dump_json(exclude_none=True)
        return NewEvent(stored.originator_id, stored.originator_version, stored.topic, stored.state, event_id, about)

    def _state(self, event: Event) -> bytes:
        shape = _shape(type(event))
        if shape.plain:
            return event.__pydantic_serializer__.to_json(event, exclude=_ENVELOPE)
        state = event.model_dump(mode="json", exclude=_ENVELOPE)
        sealed = {name: state.pop(name) for name in shape.sealed}
        if sealed and self._seals_nulls(shape, sealed):
            state[SEALED] = {
                name: self._seal_field(event, name, shape.sealed[name], value) for name, value in sealed.items()
            }
        if event.class_version > 1:
            state[EDITION] = event.class_version
        return to_json(state)

    def _seals_nulls(self, shape: _Shape, values: Mapping[str, Any]) -> bool:
        """Returns whether to encrypt. Empty fields are encrypted too, to hide that they are, if all keys exist."""
        if any(value is not None for value in values.values()):
            return True
        return all(map(self.keyring.key, shape.sealed.values()))

    def _seal_field(self, event: Event, name: str, compartment: Compartment, value: Any) -> dict[str, str]:
        key = _usable(self.keyring, compartment)
        plain = to_json(value)
        padded = plain.ljust(-(-len(plain) // BLOCK) * BLOCK)
        place = _place(event.originator_id, event.originator_version, event.TOPIC, name)
        return {"k": key.key_id.hex, "c": b64encode(_encrypt(key, padded, place)).decode()}

    def _event(self, stream_id: UUID, version: int, topic: str, state: bytes) -> Event:
        event_class = REGISTRY.get(topic)
        if event_class is None:
            msg = f"Stream {stream_id} version {version}: unknown topic {topic!r}; update the application"
            raise UnknownTopicError(msg)
        try:
            event = self._validated(event_class, stream_id, version, state)
        except (ValidationError, ValueError, KeyError, TypeError, AttributeError) as unfit:
            raise _unreadable(stream_id, version, topic, unfit) from None
        event.__dict__["originator_id"] = stream_id
        event.__dict__["originator_version"] = version
        return event

    def _validated(self, event_class: type[Event], stream_id: UUID, version: int, state: bytes) -> Event:
        if _shape(event_class).plain and b'"_v":' not in state:
            return event_class.__pydantic_validator__.validate_json(state)  # type: ignore[no-any-return]
        values = from_json(state)
        for name, sealed in values.pop(SEALED, {}).items():
            values[name] = self._open_field(sealed, _place(stream_id, version, event_class.TOPIC, name))
        values = _upcast(event_class, values, values.pop(EDITION, 1))
        return event_class.__pydantic_validator__.validate_python(values)  # type: ignore[no-any-return]

    def _open_field(self, sealed: dict[str, str], place: bytes) -> Any:
        key = self.keyring.find(_key_id(sealed["k"]))
        return None if key is None else from_json(_decrypt(key, b64decode(sealed["c"]), place))


def seal_body(keyring: Keyring, stream_id: UUID, label: str, plaintext: bytes) -> bytes:
    """Returns a whole message encrypted for one stream and one place (``label``, such as ``inbox:<id>``)."""
    key = _usable(keyring, BODY)
    return key.key_id.bytes + _encrypt(key, plaintext, f"{stream_id.hex}|{label}".encode())


def open_body(keyring: Keyring, stream_id: UUID, label: str, sealed: bytes) -> bytes | None:
    """Returns the decrypted message, or ``None`` if its key has been destroyed. Raises ``TamperedError``."""
    key = keyring.find(UUID(bytes=sealed[:16]))
    return None if key is None else _decrypt(key, sealed[16:], f"{stream_id.hex}|{label}".encode())


def _usable(keyring: Keyring, label: str) -> Key:
    key = keyring.key(label)
    if key is None:
        msg = f"Stream {keyring.stream_id} has no key to encrypt with: the key was destroyed or never created"
        raise KeyErasedError(msg)
    return key


@lru_cache(4096)
def _key_id(text: str) -> UUID:
    return UUID(hex=text)


def _place(stream_id: UUID, version: int, topic: str, field: str) -> bytes:
    return f"{stream_id.hex}|{version}|{topic}|{field}".encode()


def _encrypt(key: Key, plaintext: bytes, place: bytes) -> bytes:
    nonce = urandom(NONCE)
    return nonce + key.cipher.encrypt(nonce, plaintext, place)


def _decrypt(key: Key, sealed: bytes, place: bytes) -> bytes:
    try:
        return key.cipher.decrypt(sealed[:NONCE], sealed[NONCE:], place)
    except InvalidTag:
        msg = f"The encrypted value at {place.decode()} was moved there from another place, or was changed"
        raise TamperedError(msg) from None


def _happened_at(row: EventRow) -> datetime:
    try:
        return _When.__pydantic_validator__.validate_json(row.metadata).happened_at  # type: ignore[no-any-return]
    except ValidationError as unfit:
        raise _unreadable(row.originator_id, row.originator_version, row.topic, unfit) from None


def _upcast(event_class: type[Event], values: dict[str, Any], written_as: int) -> dict[str, Any]:
    if written_as > event_class.class_version:
        known = event_class.class_version
        msg = f"written as version {written_as}, but this version reads up to {known}: update the application"
        raise ValueError(msg)
    event_class.upcast(values, written_as)
    return values


def _unreadable(stream_id: UUID, version: int, topic: str, unfit: Exception) -> UnreadableEventError:
    """Returns the error for an event that cannot be read. It never quotes the content of the event."""
    if isinstance(unfit, UnreadableEventError):
        return unfit
    if isinstance(unfit, ValidationError):
        why = "invalid fields: " + ", ".join(
            sorted({".".join(map(str, error["loc"])) or "all" for error in unfit.errors()})
        )
    else:
        why = str(unfit) if type(unfit) is ValueError and "written as version" in str(unfit) else type(unfit).__name__
    return UnreadableEventError(f"Stream {stream_id} version {version} ({topic}): {why}")


@cache
def _shape(event_class: type[Event]) -> _Shape:
    if SEALED in event_class.model_fields:
        msg = f"{event_class.__name__} has a field named {SEALED!r}, which the mapper uses itself: rename the field"
        raise TypeError(msg)
    sealed = sealed_fields(event_class)
    return _Shape(sealed, not sealed and event_class.class_version == 1)


_UNUSED = JSONTranscoder()  # the base class requires a transcoder; serialisation is done by pydantic
