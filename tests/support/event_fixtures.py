"""Sample events and a writer for them. They are removed from the registry, so that it has only real events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID, uuid4, uuid5

from domain.kernel.event import REGISTRY, Compartment, Event, Metadata, Sealed
from store.crypto.keys import Keyring, KeyStore
from store.log.mapper import EventMapper
from store.log.recorder import Recorder
from store.log.rows import Changeset, Committed, MessageResult, NewEvent, StreamSnapshot
from store.messages.inbox import Inbox, IncomingMessage, Receipt


class LanternLit(Event):
    """An event without sealed fields."""

    TOPIC: ClassVar[str] = "test.lantern-lit"
    SENTENCE: ClassVar[str] = "A lantern was lit in {room}."

    room: str
    lamps: tuple[int, ...] = ()


class LetterKept(Event):
    """An event with sealed fields."""

    TOPIC: ClassVar[str] = "test.letter-kept"
    SENTENCE: ClassVar[str] = "A letter was kept on shelf {shelf}: {words}."

    shelf: int
    words: Annotated[str | None, Sealed(Compartment.GEN)] = None
    seen_on: Annotated[datetime | None, Sealed(Compartment.MED)] = None


class WallPainted(Event):
    """An event of version 2; version 1 had another name for the colour."""

    TOPIC: ClassVar[str] = "test.wall-painted"
    SENTENCE: ClassVar[str] = "The wall was painted {colour}."
    class_version: ClassVar[int] = 2

    colour: str

    @staticmethod
    def upcast_v1_v2(state: dict[str, Any]) -> None:
        state["colour"] = state.pop("paint")


EVENTS = {event.TOPIC: REGISTRY.pop(event.TOPIC) for event in (LanternLit, LetterKept, WallPainted)}


@dataclass
class LogWriter:
    """Records events and messages in one line each."""

    recorder: Recorder
    keys: KeyStore
    inbox: Inbox

    async def open_case(self) -> UUID:
        receipt = await self.inbox.start_case(message(None, b"open"))
        assert receipt.stream_id is not None
        return receipt.stream_id

    async def put(self, case: UUID, body: bytes = b"{}", message_id: UUID | None = None) -> Receipt:
        return await self.inbox.put(message(case, body, message_id))

    async def changeset(self, case: UUID, *events: Event, **more: Any) -> Changeset:
        """Returns a changeset with events, based on the current revision of the case."""
        return self.changeset_on(case, await self.recorder.load(case), *events, **more)

    def changeset_on(self, case: UUID, loaded: StreamSnapshot, *events: Event, **more: Any) -> Changeset:
        assert loaded.head is not None
        first, decision = loaded.head.version + 1, uuid4()
        mapper = EventMapper(self.keys.from_rows(case, loaded.keys))
        new_events = [
            new(mapper, event.placed_in(case, first + nth, loaded.now), uuid5(decision, str(nth)), loaded.now)
            for nth, event in enumerate(events)
        ]
        return Changeset(case, loaded.head.revision, loaded.head.hash, first, new_events, **more)

    async def record(self, case: UUID, *events: Event, **more: Any) -> Committed:
        return await self.recorder.write(await self.changeset(case, *events, **more))

    async def ring(self, case: UUID) -> Keyring:
        return self.keys.from_rows(case, (await self.recorder.load(case)).keys)


def new(mapper: EventMapper, event: Event, event_id: UUID, at: datetime) -> NewEvent:
    """Returns the stored event for the recorder."""
    about = Metadata(happened_at=at, recorded_at=at, actor="staff:amal", message_id=event_id, policy="test-1")
    return mapper.to_new_event(event, event_id, about)


def message(case: UUID | None, body: bytes = b"{}", message_id: UUID | None = None) -> IncomingMessage:
    """Returns a message from a member of staff."""
    return IncomingMessage(message_id or uuid4(), case, "staff", "TestMessage", body, "staff:amal", "amal")


def applied(receipt: Receipt) -> MessageResult:
    """Returns the result of an applied message."""
    return MessageResult(receipt.message_id, "applied", '{"ok": true}', 1)


def refused(receipt: Receipt) -> MessageResult:
    """Returns the result of a refused message."""
    return MessageResult(receipt.message_id, "refused", '{"rule": "test"}')
