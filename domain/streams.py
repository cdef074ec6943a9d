"""The four kinds of stream and the functions that decide for each: one table for recording, replay and display."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from domain import call_request as contact
from domain import decider as decide
from domain import movement
from domain import partner_desk as desk
from domain.call_request import CallRequest
from domain.case.aggregate import Case
from domain.kernel.context import Context
from domain.kernel.deadline import Deadline
from domain.kernel.event import Event
from domain.kernel.message import Message
from domain.kernel.vocabulary import Stage
from domain.movement import Movement
from domain.partner_desk import PartnerDesk
from domain.progress import Progress

State = Case | Movement | PartnerDesk | CallRequest


@dataclass(frozen=True)
class StreamKind:
    """The functions of one kind of stream."""

    name: str
    blank: Callable[[UUID, str], Any]
    decide: Callable[[Any, Message, Context], list[Event]]
    next_wake: Callable[[Any, Context], Deadline | None]
    lapse: Callable[[Any, Deadline, Context], list[Event]]
    opening: Callable[[Any, Stage, Context], list[Event]]
    progress_of: Callable[..., Progress]
    letters: Callable[[Any, Event], Iterator[tuple[UUID, Message]]]
    on_quarantine: tuple[Callable[[Any, UUID, str, Context], list[Event]], ...] = ()
    """Record that a message was quarantined. Each function does less than the one before, in case that one crashes."""
    on_release: Callable[[Any, UUID, Context], list[Event]] = lambda _state, _message_id, _ctx: []
    """Record that a quarantined message was processed after all."""


def _case(stream_id: UUID, number: str) -> Case:
    return Case(stream_id, number=number)


def _movement(stream_id: UUID, number: str) -> Movement:
    return Movement(stream_id, number=number)


def _desk(stream_id: UUID, number: str) -> PartnerDesk:
    return PartnerDesk(stream_id, number=number)


def _contact(stream_id: UUID, number: str) -> CallRequest:
    return CallRequest(stream_id, number=number)


KINDS: Final[Mapping[str, StreamKind]] = {
    "case": StreamKind(
        "case",
        _case,
        decide.decide,
        decide.next_wake,
        decide.decide_lapse,
        decide.decide_opening,
        decide.progress_of,
        lambda case, event: movement.letters_of_a_case(case.id, event),
        (decide.decide_quarantine, decide.note_quarantine),
        decide.decide_release,
    ),
    "movement": StreamKind(
        "movement",
        _movement,
        movement.decide,
        lambda flight, _ctx: min(movement.deadlines(flight), default=None),
        movement.decide_lapse,
        lambda _flight, _stage, _ctx: [],
        movement.progress_of,
        movement.letters,
    ),
    "desk": StreamKind(
        "desk",
        _desk,
        desk.decide,
        lambda _desk, _ctx: None,
        lambda _desk, _due, _ctx: [],
        lambda _desk, _stage, _ctx: [],
        desk.progress_of,
        desk.nothing,
    ),
    "contact": StreamKind(
        "contact",
        _contact,
        contact.decide,
        lambda asked, _ctx: min(contact.deadlines(asked), default=None),
        contact.decide_lapse,
        lambda _asked, _stage, _ctx: [],
        contact.progress_of,
        lambda _asked, _event: iter(()),
    ),
}
