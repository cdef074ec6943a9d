"""A callback request: a person asks to be called, through the public page, by telephone or a community leader.

It is not a case, and no case may follow. It is a stream of its own, with its own keys, one deadline (the call, within
the time of the policy), and it ends when a person closes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AwareDatetime, Field

from domain.kernel.aggregate import Aggregate
from domain.kernel.context import Context
from domain.kernel.deadline import Deadline
from domain.kernel.errors import Rejected
from domain.kernel.event import NEVER, Compartment, Event, Sealed
from domain.kernel.message import Message
from domain.kernel.working_time import LIBYA
from domain.progress import Progress

Phone = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$", description="E.164")]

Language = Annotated[str, Field(pattern="^[a-z]{2,3}$", description="ISO 639")]

Channel = Literal["PAGE", "HOTLINE", "OFFICE", "PARTNER"]

Result = Literal["NO_ANSWER", "WRONG_NUMBER", "CALL_AGAIN"]

Outcome = Literal["REACHED", "CASE_STARTED", "NOT_REACHED", "NOT_WANTED", "DUPLICATE"]

QUEUE: Final = "COUNSELLOR"

ESCALATED_TO: Final = "CASE_SUPERVISOR"
"""The role that calls back, and the role informed when the call is overdue."""


@dataclass(slots=True)
class CallRequest(Aggregate):
    """One callback request. ``due`` is until when the call must be made (UTC)."""

    status: str = ""
    channel: str = ""
    language: str = ""
    given_name: str | None = None
    phone: str | None = None
    note: str | None = None
    since: datetime = NEVER
    due: datetime = NEVER
    overdue: bool = False
    tries: int = 0
    outcome: str | None = None

    @property
    def over(self) -> bool:
        return self.status == "ENDED"


# Events. Topics name the stream they belong to.


class ContactEvent(Event):
    TOPIC: ClassVar[str] = ""

    @property
    def name(self) -> str:
        return self.TOPIC.removeprefix("Contact/")


class ContactRequested(ContactEvent):
    TOPIC: ClassVar[str] = "Contact/ContactRequested"
    SENTENCE: ClassVar[str] = "Callback requested in {language:language} (channel: {channel:words}); call due by {due}."

    channel: str
    language: str
    due: AwareDatetime
    given_name: Annotated[str | None, Sealed(Compartment.GEN)] = None
    phone: Annotated[str | None, Sealed(Compartment.GEN)] = None
    note: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def apply_to(self, contact: CallRequest) -> None:
        contact.status, contact.channel, contact.language = "OPEN", self.channel, self.language
        contact.given_name, contact.phone, contact.note = self.given_name, self.phone, self.note
        contact.since, contact.due = self.timestamp, self.due


class ContactTried(ContactEvent):
    TOPIC: ClassVar[str] = "Contact/ContactTried"
    SENTENCE: ClassVar[str] = "Call attempted without success: {result:words}."

    result: str

    def apply_to(self, contact: CallRequest) -> None:
        contact.tries += 1


class ContactOverdue(ContactEvent):
    TOPIC: ClassVar[str] = "Contact/ContactOverdue"
    SENTENCE: ClassVar[str] = "Overdue since {due}; escalated to the {to:words}."

    due: AwareDatetime
    to: str

    def apply_to(self, contact: CallRequest) -> None:
        contact.overdue = True


class ContactEnded(ContactEvent):
    TOPIC: ClassVar[str] = "Contact/ContactEnded"
    SENTENCE: ClassVar[str] = "Closed: {outcome:words}."

    outcome: str
    note: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def apply_to(self, contact: CallRequest) -> None:
        contact.status, contact.outcome = "ENDED", self.outcome


# Commands


class ContactMessage(Message):
    TO: ClassVar[str] = "contact"


class RequestContact(ContactMessage):
    """A person asks to be called. Name and note are optional: only what the person chose to give."""

    phone: Phone
    language: Language
    channel: Channel = "OFFICE"
    given_name: Annotated[str, Field(min_length=1, max_length=120)] | None = None
    note: Annotated[str, Field(min_length=1, max_length=500)] | None = None


class RecordContactTry(ContactMessage):
    result: Result


class EndContact(ContactMessage):
    outcome: Outcome
    note: Annotated[str, Field(min_length=1, max_length=500)] | None = None


# Handlers


def request_contact(contact: CallRequest, asked: RequestContact, ctx: Context) -> Iterator[Event]:
    if contact.status:
        raise Rejected("CONTACT.EXISTS", f"callback request {contact.number} exists already")
    yield ContactRequested(due=LIBYA.after(ctx.at, ctx.policy.in_force.contact), **asked.model_dump())


def record_contact_try(contact: CallRequest, report: RecordContactTry, _ctx: Context) -> Iterator[Event]:
    _insist_on_open(contact)
    yield ContactTried(result=report.result)


def end_contact(contact: CallRequest, order: EndContact, _ctx: Context) -> Iterator[Event]:
    _insist_on_open(contact)
    yield ContactEnded(outcome=order.outcome, note=order.note)


def _insist_on_open(contact: CallRequest) -> None:
    if contact.status != "OPEN":
        raise Rejected(
            "CONTACT.OVER", f"callback request {contact.number} is closed; log a new request for another call"
        )


RULES: Final[Mapping[type[Message], Callable[[CallRequest, Any, Context], Iterator[Event]]]] = {
    RequestContact: request_contact,
    RecordContactTry: record_contact_try,
    EndContact: end_contact,
}


def decide(contact: CallRequest, message: Message, ctx: Context) -> list[Event]:
    """Returns the events that a message causes, already applied. Raises ``Rejected``."""
    rule = RULES.get(type(message))
    if rule is None:
        raise Rejected("MESSAGE.NOT_FOR_A_CONTACT", f"{type(message).__name__} does not apply to a callback request")
    return _fold(contact, rule(contact, message, ctx), ctx)


def _fold(contact: CallRequest, events: Iterator[Event], ctx: Context) -> list[Event]:
    decided = []
    for event in events:
        placed = event.placed_in(contact.id, contact.version + 1, ctx.at)
        placed.mutate(contact)
        decided.append(placed)
    return decided


# Deadline: the call


def deadlines(contact: CallRequest) -> list[Deadline]:
    """Returns the deadline of the call. It is escalated once; the request stays open until a person closes it."""
    if contact.status != "OPEN" or contact.overdue:
        return []
    return [Deadline(contact.due, "contact", str(contact.id))]


def decide_lapse(contact: CallRequest, deadline: Deadline, ctx: Context) -> list[Event]:
    return _fold(contact, iter([ContactOverdue(due=deadline.due, to=ESCALATED_TO)]), ctx)


def progress_of(contact: CallRequest, ctx: Context, *, more: bool = False) -> Progress:
    due = min(deadlines(contact), default=None)
    return Progress(
        waiting_on=f"STAFF.{QUEUE}" if contact.status == "OPEN" else "",
        wait_s=max(0.0, (due.due - ctx.recorded_at).total_seconds()) if due else None,
        over=contact.over or not contact.status,
        more=more,
        version=contact.version,
    )
