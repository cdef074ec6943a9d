"""Events of the medical clearance stage."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AwareDatetime

from domain.kernel.event import Compartment, Event, Sealed

# Facts


class FitToTravelAssessed(Event):
    """The last look before departure. Its result is a medical fact; its consequence is a clearance or a hold."""

    TOPIC: ClassVar[str] = "FitToTravelAssessed"
    SENTENCE: ClassVar[str] = "Examined before travel on {issued_at}."

    issued_at: AwareDatetime
    result: Annotated[str | None, Sealed(Compartment.MED)] = None
    conditions: Annotated[tuple[str, ...] | None, Sealed(Compartment.MED)] = None
