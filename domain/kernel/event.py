"""What an event is: a named fact, said in one sentence, with the fields that must stay sealed.

An event has a name for ever (its ``TOPIC``); its class may move between files.
The registry of topics is closed: what is not declared here by a class of ours is never resolved, let alone imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self
from uuid import UUID

from eventsourcing.domain import CanMutateAggregate
from pydantic import AwareDatetime, BaseModel, ConfigDict

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

ERASED = "[erased]"
"""How a sealed value reads once its key has been destroyed, or to a reader without the compartment."""

NOWHERE = UUID(int=0)

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Compartment(StrEnum):
    """Classes of data that are sealed under keys of their own (domain.md 2.2)."""

    GEN = "GEN"
    CONS = "CONS"
    PROT = "PROT"
    TRAF = "TRAF"
    GBV = "GBV"
    CHLD = "CHLD"
    ASYL = "ASYL"
    MED = "MED"
    MHP = "MHP"
    FIN = "FIN"
    CMPL = "CMPL"
    SECU = "SECU"


@dataclass(frozen=True)
class Sealed:
    """Marks a field that is encrypted under the case's key for one compartment.

    Sealed fields are optional: a reader without the key, or after erasure, finds ``None``.
    """

    compartment: Compartment


class EventDeclarationError(TypeError):
    """An event class was declared without a topic or a sentence, or under a name already taken."""


class Event(BaseModel, CanMutateAggregate[UUID]):
    """A fact about one stream. ``timestamp`` is when it took effect (UTC); when it was recorded is in its metadata."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    TOPIC: ClassVar[str] = ""
    SENTENCE: ClassVar[str] = ""
    class_version: ClassVar[int] = 1
    """As in the library: a class of version 2 has a static method ``upcast_v1_v2(state)``."""

    originator_id: UUID = NOWHERE
    originator_version: int = 0
    timestamp: AwareDatetime = NEVER

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        register(cls)

    @classmethod
    def upcast(cls, state: dict[str, Any], version: int) -> None:
        """Changes a state that was stored by an earlier version of the class, in place, to the state of today."""
        for known in range(version, cls.class_version):
            getattr(cls, f"upcast_v{known}_v{known + 1}")(state)

    def placed_in(self, stream_id: UUID, version: int, at: datetime) -> Self:
        """Returns a copy with its place: the stream, the version there, and when it took effect (UTC)."""
        return self.model_copy(update={"originator_id": stream_id, "originator_version": version, "timestamp": at})

    def mutate(self, aggregate: Any) -> Any:
        """Applies the event to its aggregate, which must be exactly one version behind, and returns the aggregate.

        Raises ``OriginatorIDError`` or ``OriginatorVersionError`` if the event belongs elsewhere.
        """
        return super().mutate(aggregate)

    def apply(self, aggregate: Any) -> None:
        """Registers the event with its aggregate and applies its change; called by the library's ``mutate``."""
        aggregate.events_by_topic.setdefault(self.TOPIC, []).append(self)
        self.apply_to(aggregate)

    def apply_to(self, aggregate: Any) -> None:
        """Changes the state of the aggregate. Changes nothing unless a subclass overrides it."""

    @property
    def name(self) -> str:
        """The event's name in domain.md section 9; a restricted fact knows its true one."""
        return self.TOPIC

    @property
    def facts(self) -> dict[str, Any]:
        """What the event says, without the envelope."""
        return {key: value for key, value in self.__dict__.items() if key not in ENVELOPE}

    def say(self) -> str:
        """The event in one sentence, for an auditor."""
        return self.SENTENCE.format_map(_Said(self.facts))


ENVELOPE = frozenset({"originator_id", "originator_version", "timestamp"})

REGISTRY: dict[str, type[Event]] = {}


def register(event: type[Event]) -> None:
    """Enter a class under its topic, for ever. A base without a topic is no event; a named event has no heirs."""
    heir_of = next((base for base in event.__mro__[1:] if base in REGISTRY.values()), None)
    if heir_of is not None:
        raise EventDeclarationError(
            f"{event.__name__} inherits from the named event {heir_of.__name__} and would inherit its name"
        )
    if event.__dict__.get("TOPIC") == "":
        return
    if "TOPIC" not in event.__dict__ or not event.SENTENCE:
        raise EventDeclarationError(f"{event.__name__} needs a TOPIC and a SENTENCE of its own")
    if event.TOPIC in REGISTRY:
        raise EventDeclarationError(
            f"topic {event.TOPIC!r} of {event.__name__} already belongs to {REGISTRY[event.TOPIC].__name__}"
        )
    for name, sealed in sealed_fields(event).items():
        if event.model_fields[name].default is not None:
            raise EventDeclarationError(f"{event.__name__}.{name} is sealed ({sealed}) and must default to None")
    REGISTRY[event.TOPIC] = event


@cache
def sealed_fields(model: type[BaseModel]) -> Mapping[str, Compartment]:
    """Which fields of a model are sealed, and in which compartment."""
    return {name: seal for name, field in model.model_fields.items() if (seal := _seal(field))}


def _seal(field: FieldInfo) -> Compartment | None:
    return next((mark.compartment for mark in field.metadata if isinstance(mark, Sealed)), None)


class _Said(dict[str, Any]):
    """Values as a sentence wants them: dates in words, lists with commas, what is sealed as such."""

    def __getitem__(self, key: str) -> Any:
        return _said(super().__getitem__(key))


def _said(value: Any) -> Any:
    if value is None:
        return ERASED
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%d %B %Y %H:%M UTC")
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(str(_said(item)) for item in value) or "none"
    return value


class Metadata(BaseModel):
    """Who, when and why, beside every event; part of the hash chain.

    ``happened_at`` is when it took effect, ``recorded_at`` the database's clock at recording (both UTC).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    happened_at: AwareDatetime
    recorded_at: AwareDatetime
    actor: str
    """``staff:<user>``, ``partner:<partner id>`` or ``system``."""
    message_id: UUID
    policy: str
    """Edition of the policy in force for this decision."""
    claimed_at: AwareDatetime | None = None
    """When the sender says it happened, by the sender's clock."""
