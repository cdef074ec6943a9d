"""The desk of one partner: what people decided about its messages that no case could take, and why.

A decision is carried out where it is made: the message is given to its case, or set aside, once. Here it is on record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

from domain.kernel.aggregate import Aggregate
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.message import Message, Text, Word
from domain.progress import Progress


@dataclass(slots=True)
class PartnerDesk(Aggregate):
    """What was decided, by message; a message that came back into doubt may be decided about again."""

    decided: dict[UUID, str] = field(default_factory=dict)


# Facts


class DeskEvent(Event):
    """Base: a decision about one message. ``cause`` is why it was in doubt, ``case_id`` an opaque id."""

    TOPIC: ClassVar[str] = ""

    kept_message: UUID
    cause: str
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None

    @property
    def name(self) -> str:
        return self.TOPIC.removeprefix("Desk/")

    def apply_to(self, desk: PartnerDesk) -> None:
        desk.decided[self.kept_message] = self.name


class SignalAssigned(DeskEvent):
    TOPIC: ClassVar[str] = "Desk/SignalAssigned"
    SENTENCE: ClassVar[str] = (
        "Message {kept_message} ({cause}) was given to case {case_id}, for another referral there."
    )

    case_id: UUID
    referral_id: UUID


class SignalTakenUpAgain(DeskEvent):
    TOPIC: ClassVar[str] = "Desk/SignalTakenUpAgain"
    SENTENCE: ClassVar[str] = "Message {kept_message} ({cause}) was given to case {case_id} once more."

    case_id: UUID


class SignalSetAside(DeskEvent):
    TOPIC: ClassVar[str] = "Desk/SignalSetAside"
    SENTENCE: ClassVar[str] = "Message {kept_message} ({cause}) was set aside: it has no effect."


# Messages: reports of what was done, handed on by the desk that takes messages in


class DeskMessage(Message):
    FROM: ClassVar[str] = "desk"
    TO: ClassVar[str] = "desk"

    kept_message: UUID
    cause: Word
    reason: Text


class RecordSignalAssigned(DeskMessage):
    case_id: UUID
    referral_id: UUID


class RecordSignalTakenUpAgain(DeskMessage):
    case_id: UUID


class RecordSignalSetAside(DeskMessage):
    pass


REPORTS: Final[Mapping[type[Message], type[DeskEvent]]] = {
    RecordSignalAssigned: SignalAssigned,
    RecordSignalTakenUpAgain: SignalTakenUpAgain,
    RecordSignalSetAside: SignalSetAside,
}


def decide(desk: PartnerDesk, message: Message, ctx: Context) -> list[Event]:
    """A report is recorded. Raises ``Rejected`` for what is no report of a decision."""
    kind = REPORTS.get(type(message))
    if kind is None:
        raise Rejected("MESSAGE.NOT_FOR_A_DESK", f"{type(message).__name__} is not for a partner's desk")
    placed = kind.model_validate(message.model_dump()).placed_in(desk.id, desk.version + 1, ctx.at)
    placed.mutate(desk)
    return [placed]


def progress_of(desk: PartnerDesk, _ctx: Context, *, more: bool = False) -> Progress:
    """A desk waits for nobody: it rests until the next decision."""
    return Progress(over=True, more=more, version=desk.version)


def nothing(*_: Any) -> Iterator[Any]:
    """A desk has no stages and writes to nobody."""
    return iter(())
