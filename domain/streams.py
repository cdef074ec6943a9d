"""The kinds of streams there are, and how each decides: one table for whoever records, replays or shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from domain import call_request as contact
from domain import decider as decide
from domain import movement
from domain import partner_desk as desk
from domain.call_request import Contact
from domain.case.aggregate import Case
from domain.kernel.context import Moment
from domain.kernel.deadline import Deadline
from domain.kernel.event import Event
from domain.kernel.message import Message
from domain.kernel.vocabulary import Stage
from domain.movement import Movement
from domain.partner_desk import PartnerDesk
from domain.progress import Standing

State = Case | Movement | PartnerDesk | Contact


@dataclass(frozen=True)
class Kind:
    """How one kind of stream begins, decides, lapses and speaks."""

    name: str
    blank: Callable[[UUID, str], Any]
    decide: Callable[[Any, Message, Moment], list[Event]]
    next_wake: Callable[[Any, Moment], Deadline | None]
    lapse: Callable[[Any, Deadline, Moment], list[Event]]
    opening: Callable[[Any, Stage, Moment], list[Event]]
    standing: Callable[..., Standing]
    letters: Callable[[Any, Event], Iterator[tuple[UUID, Message]]]
    in_doubt: tuple[Callable[[Any, UUID, str, Moment], list[Event]], ...] = ()
    """What to record of a message that could not be taken in; each asks for less than the one before."""
    taken_in: Callable[[Any, UUID, Moment], list[Event]] = lambda _state, _message_id, _m: []
    """What to record once it has been taken in after all."""


def _case(stream_id: UUID, number: str) -> Case:
    return Case(stream_id, number=number)


def _movement(stream_id: UUID, number: str) -> Movement:
    return Movement(stream_id, number=number)


def _desk(stream_id: UUID, number: str) -> PartnerDesk:
    return PartnerDesk(stream_id, number=number)


def _contact(stream_id: UUID, number: str) -> Contact:
    return Contact(stream_id, number=number)


KINDS: Final[Mapping[str, Kind]] = {
    "case": Kind(
        "case",
        _case,
        decide.decide,
        decide.next_wake,
        decide.decide_lapse,
        decide.decide_opening,
        decide.standing,
        lambda case, event: movement.letters_of_a_case(case.id, event),
        (decide.decide_in_doubt, decide.note_in_doubt),
        decide.decide_taken_in,
    ),
    "movement": Kind(
        "movement",
        _movement,
        movement.decide,
        lambda flight, _m: min(movement.deadlines(flight), default=None),
        movement.decide_lapse,
        lambda _flight, _stage, _m: [],
        movement.standing,
        movement.letters,
    ),
    "desk": Kind(
        "desk",
        _desk,
        desk.decide,
        lambda _desk, _m: None,
        lambda _desk, _due, _m: [],
        lambda _desk, _stage, _m: [],
        desk.standing,
        desk.nothing,
    ),
    "contact": Kind(
        "contact",
        _contact,
        contact.decide,
        lambda asked, _m: min(contact.deadlines(asked), default=None),
        contact.decide_lapse,
        lambda _asked, _stage, _m: [],
        contact.standing,
        lambda _asked, _event: iter(()),
    ),
}
