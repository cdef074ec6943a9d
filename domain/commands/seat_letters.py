"""Messages that a movement and a case send to each other about a seat."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from domain.kernel.message import Message, Text, Word
from domain.kernel.person import Country

# From the movement to the case


class TakeSeat(Message):
    FROM: ClassVar[str] = "letter"

    movement_id: UUID
    movement: Word
    std: AwareDatetime
    sta: AwareDatetime
    destination: Word
    country: Country | None = None


class SeatUnavailable(Message):
    FROM: ClassVar[str] = "letter"

    movement_id: UUID
    movement: Word
    cause: Word


class ManifestIsFrozen(Message):
    FROM: ClassVar[str] = "letter"

    movement_id: UUID
    movement: Word


class MovementIsOff(Message):
    FROM: ClassVar[str] = "letter"

    movement_id: UUID
    movement: Word
    cause: Word


class FlightHasDeparted(Message):
    FROM: ClassVar[str] = "letter"

    movement_id: UUID
    movement: Word
    atd: AwareDatetime
    on_board: bool
    breaches: tuple[Text, ...] = ()


class FlightHasArrived(Message):
    FROM: ClassVar[str] = "letter"

    movement_id: UUID
    movement: Word
    ata: AwareDatetime
    destination: Word
