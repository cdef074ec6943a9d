"""The base of the four aggregates: case, movement, request to be called, partner desk."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from domain.kernel.event import NEVER, Event

SomeEvent = TypeVar("SomeEvent", bound=Event)


@dataclass(slots=True)
class Aggregate:
    """What the ``eventsourcing`` library needs of an aggregate that ``Event.mutate`` changes, and the events so far.

    ``modified_on`` is the timestamp of the last event (UTC).
    """

    id: UUID
    version: int = 0
    modified_on: datetime = NEVER
    number: str = ""
    events_by_topic: dict[str, list[Event]] = field(default_factory=dict)

    def latest(self, event: type[SomeEvent]) -> SomeEvent | None:
        """Returns the newest event of a class, if there is one."""
        found = self.every(event)
        return found[-1] if found else None

    def every(self, event: type[SomeEvent]) -> list[SomeEvent]:
        """Returns all events of a class, oldest first."""
        return self.events_by_topic.get(event.TOPIC, [])  # type: ignore[return-value]  # a topic is one class

    def has(self, event: type[Event]) -> bool:
        """Returns whether an event of a class was ever recorded."""
        return event.TOPIC in self.events_by_topic
