"""Events of the medical clearance stage."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AwareDatetime

from domain.kernel.event import Compartment, Event, Sealed

# Events


class FitToTravelAssessed(Event):
    """The pre-departure examination took place. The result is sealed; a clearance or a hold follows from it."""

    TOPIC: ClassVar[str] = "FitToTravelAssessed"
    SENTENCE: ClassVar[str] = "Pre-departure fitness-to-travel examination held on {issued_at}."

    issued_at: AwareDatetime
    result: Annotated[str | None, Sealed(Compartment.MED)] = None
    conditions: Annotated[tuple[str, ...] | None, Sealed(Compartment.MED)] = None
