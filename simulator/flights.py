"""Flights of the simulation: one a week to each country, as soon as somebody is ready to take it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from domain.kernel.places import AIRPORTS
from simulator.scenarios import CANCELLED_FLIGHT_PCT
from simulator.seeded_random import seeded_random

TUESDAY: Final = 1

LEAVES_AT: Final = time(12, 0, tzinfo=UTC)

LASTS: Final = timedelta(hours=5)

NOTICE: Final = timedelta(days=6)
"""Least time between taking a seat and leaving: the reception partner must answer before the manifest is frozen."""

SEATS: Final = 200

OFF: Final = timedelta(days=3, hours=4)

PREPARED: Final = timedelta(days=1, hours=4)

AT_AIRPORT: Final = timedelta(hours=4)


@dataclass
class PlannedFlight:
    """A movement as its planners know it. ``agenda``: what is to be done, and when (UTC), in order."""

    country: str
    std: datetime
    seed: int
    movement_id: str = ""
    agenda: list[tuple[datetime, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        off = seeded_random(self.seed, "flight", self.number).random() * 100 < CANCELLED_FLIGHT_PCT
        self.agenda = [(self.std - OFF, "CANCEL")] if off else self._flown()

    def _flown(self) -> list[tuple[datetime, str]]:
        return [
            (self.std - PREPARED, "PREPARATION"),
            (self.std - AT_AIRPORT, "BOARDING"),
            (self.std, "DEPARTURE"),
            (self.sta, "ARRIVAL"),
        ]

    @property
    def sta(self) -> datetime:
        return self.std + LASTS

    @property
    def number(self) -> str:
        return f"MOV-{self.std:%Y-%m%d}-MJI-{self.destination}"

    @property
    def destination(self) -> str:
        """The usual airport of the country, or the country's code where none is known."""
        return AIRPORTS.get(self.country, (self.country,))[0]

    @property
    def plan(self) -> dict[str, Any]:
        """The fields of ``PlanMovement``."""
        return {
            "number": self.number,
            "origin": "MJI",
            "destination": self.destination,
            "std": self.std.isoformat(),
            "sta": self.sta.isoformat(),
            "capacity": SEATS,
            "country": self.country,
        }

    @property
    def seat(self) -> dict[str, Any]:
        """The fields of ``NominatePassenger``."""
        times = {"std": self.std.isoformat(), "sta": self.sta.isoformat()}
        return {"movement_id": self.movement_id, "movement": self.number, **times}

    @property
    def next_at(self) -> datetime | None:
        return self.agenda[0][0] if self.agenda else None


def next_departure(now: datetime) -> datetime:
    """When the next flight leaves for which there is still time to prepare."""
    earliest = now.astimezone(UTC) + NOTICE
    day = earliest.date() + timedelta(days=(TUESDAY - earliest.weekday()) % 7)
    leaves = datetime.combine(day, LEAVES_AT)
    return leaves if leaves >= earliest else leaves + timedelta(days=7)
