"""The base class of events: a topic, a sentence, and fields of which some are sealed.

A topic is permanent; the class may be renamed or moved. Topics are resolved in a closed registry: a stored topic that
no class declares is an error, and nothing is ever imported because of it.
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

from domain.kernel.sentences import sentence

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

NOWHERE = UUID(int=0)

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Compartment(StrEnum):
    """Classes of data, each sealed under a key of its own (rule DATA.COMPARTMENTS)."""

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
    """Marks a field that is encrypted under the stream's key for one compartment.

    Sealed fields are optional: without the key, or after erasure, the field is ``None``.
    """

    compartment: Compartment


class EventDeclarationError(TypeError):
    """An event class has no topic or sentence, or its topic is already used."""


class Event(BaseModel, CanMutateAggregate[UUID]):
    """Something that happened in one stream.

    ``timestamp`` is when it took effect (UTC). When it was recorded is in its ``Metadata``.
    """

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

    if TYPE_CHECKING:

        def mutate(self, aggregate: Any) -> Any:
            """Applies the event to its aggregate, which must be exactly one version behind, and returns the aggregate.

            Inherited; declared here for its types. Raises ``OriginatorIDError`` or ``OriginatorVersionError`` if the
            event belongs elsewhere.
            """

    def apply(self, aggregate: Any) -> None:
        """Registers the event with its aggregate and applies its change; called by the library's ``mutate``."""
        aggregate.events_by_topic.setdefault(self.TOPIC, []).append(self)
        self.apply_to(aggregate)

    def apply_to(self, aggregate: Any) -> None:
        """Changes the state of the aggregate. Changes nothing unless a subclass overrides it."""

    @property
    def name(self) -> str:
        """The event's name in the catalogue; a restricted event overrides it with its true name."""
        return self.TOPIC

    @property
    def facts(self) -> dict[str, Any]:
        """The event's own fields, without originator and timestamp."""
        return {key: value for key, value in self.__dict__.items() if key not in ENVELOPE}

    def say(self) -> str:
        """Returns the event as one sentence for people: words instead of codes, and dates in UTC."""
        return sentence(self.SENTENCE, self.sentence_values())

    def sentence_values(self) -> dict[str, Any]:
        """Returns the values for the sentence: the event's own fields, and what a subclass adds or words itself."""
        return self.facts


ENVELOPE = frozenset({"originator_id", "originator_version", "timestamp"})

REGISTRY: dict[str, type[Event]] = {}


def register(event: type[Event]) -> None:
    """Registers an event class under its topic. Base classes have no topic; a class with a topic has no subclasses."""
    heir_of = next((base for base in event.__mro__[1:] if base in REGISTRY.values()), None)
    if heir_of is not None:
        raise EventDeclarationError(
            f"{event.__name__} inherits from the event {heir_of.__name__}; an event with a topic may have no subclasses"
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
    """Returns the sealed fields of a model with their compartments."""
    return {name: seal for name, field in model.model_fields.items() if (seal := _seal(field))}


def _seal(field: FieldInfo) -> Compartment | None:
    return next((mark.compartment for mark in field.metadata if isinstance(mark, Sealed)), None)


class Metadata(BaseModel):
    """Who recorded an event, when, and because of which message. Covered by the hash chain.

    ``happened_at`` is when it took effect; ``recorded_at`` is the database's clock at recording (both UTC).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    happened_at: AwareDatetime
    recorded_at: AwareDatetime
    actor: str
    """``staff:<user>``, ``partner:<partner id>`` or ``system``."""
    message_id: UUID
    policy: str
    """Edition of the policy that was in force."""
    claimed_at: AwareDatetime | None = None
    """When it happened according to the sender's clock."""
