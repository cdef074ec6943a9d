"""The partner desk: the record of decisions about a partner's messages that could not be matched to a case.

The decision itself (assign to a case, or set aside) is carried out once by the intake; this stream keeps who decided
what, and why.
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
    """Decisions by message. A message that is quarantined again may be decided again."""

    decided: dict[UUID, str] = field(default_factory=dict)


# Events


class DeskEvent(Event):
    """Base: a decision about one message. ``cause`` is why it was quarantined; ``case_id`` is an opaque id."""

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
        "Message {kept_message} ({cause:words}) assigned to case {case_id}, for another referral there."
    )

    case_id: UUID
    referral_id: UUID


class SignalTakenUpAgain(DeskEvent):
    TOPIC: ClassVar[str] = "Desk/SignalTakenUpAgain"
    SENTENCE: ClassVar[str] = "Message {kept_message} ({cause:words}) sent to case {case_id} again."

    case_id: UUID


class SignalSetAside(DeskEvent):
    TOPIC: ClassVar[str] = "Desk/SignalSetAside"
    SENTENCE: ClassVar[str] = "Message {kept_message} ({cause:words}) set aside without effect."


# Messages: reports of decisions, sent by the intake service


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
    """Returns the event that records a decision. Raises ``Rejected`` for any other message."""
    kind = REPORTS.get(type(message))
    if kind is None:
        raise Rejected("MESSAGE.NOT_FOR_A_DESK", f"{type(message).__name__} does not apply to a partner desk")
    placed = kind.model_validate(message.model_dump()).placed_in(desk.id, desk.version + 1, ctx.at)
    placed.mutate(desk)
    return [placed]


def progress_of(desk: PartnerDesk, _ctx: Context, *, more: bool = False) -> Progress:
    """Returns the progress of a desk, which never waits for anything."""
    return Progress(over=True, more=more, version=desk.version)


def nothing(*_: Any) -> Iterator[Any]:
    """Returns nothing: a desk has no stages and sends no messages."""
    return iter(())
