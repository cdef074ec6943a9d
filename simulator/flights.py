"""Simulated flights: one each week to each country, as soon as a passenger is ready."""

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
"""The minimum time from nomination to departure: the reception partner must confirm before the manifest freeze."""

SEATS: Final = 200

CANCELLED_BEFORE: Final = timedelta(days=3, hours=4)

PREPARED_BEFORE: Final = timedelta(days=1, hours=4)

CHECK_IN_BEFORE: Final = timedelta(hours=4)


@dataclass
class PlannedFlight:
    """A movement and its agenda: what movement staff must do and when (UTC), in order."""

    country: str
    std: datetime
    seed: int
    movement_id: str = ""
    agenda: list[tuple[datetime, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        cancelled = seeded_random(self.seed, "flight", self.number).random() * 100 < CANCELLED_FLIGHT_PCT
        self.agenda = [(self.std - CANCELLED_BEFORE, "CANCEL")] if cancelled else self._operated()

    def _operated(self) -> list[tuple[datetime, str]]:
        return [
            (self.std - PREPARED_BEFORE, "PREPARATION"),
            (self.std - CHECK_IN_BEFORE, "BOARDING"),
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
        """Returns the usual airport of the country, or the country code if none is known."""
        return AIRPORTS.get(self.country, (self.country,))[0]

    @property
    def plan(self) -> dict[str, Any]:
        """Returns the fields of ``PlanMovement``."""
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
        """Returns the fields of ``NominatePassenger``."""
        times = {"std": self.std.isoformat(), "sta": self.sta.isoformat()}
        return {"movement_id": self.movement_id, "movement": self.number, **times}

    @property
    def next_at(self) -> datetime | None:
        return self.agenda[0][0] if self.agenda else None


def next_departure(now: datetime) -> datetime:
    """Returns the departure time (UTC) of the next flight that still leaves time for preparation."""
    earliest = now.astimezone(UTC) + NOTICE
    day = earliest.date() + timedelta(days=(TUESDAY - earliest.weekday()) % 7)
    leaves = datetime.combine(day, LEAVES_AT)
    return leaves if leaves >= earliest else leaves + timedelta(days=7)
