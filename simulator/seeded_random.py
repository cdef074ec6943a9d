"""Reproducible random numbers, durations, and office hours.

Simulated people act when offices open, so that the steps of many cases share one stop of the programme clock.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final, TypeVar

T = TypeVar("T")

OFFICES_OPEN: Final = time(8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class DurationSpread:
    """A lognormal distribution of durations (days), by its median and spread, limited to ``most``."""

    median: float
    sigma: float = 0.0
    most: float = 400.0

    def drawn(self, rolls: random.Random) -> timedelta:
        return timedelta(days=min(self.most, self.median * rolls.lognormvariate(0.0, self.sigma)))


def seeded_random(*question: object) -> random.Random:
    """Returns a random generator that is seeded with the question alone."""
    return random.Random("/".join(map(str, question)))


def chosen(rolls: random.Random, shares: Mapping[T, float]) -> T:
    """Returns one of the options, weighted by its share."""
    return rolls.choices(list(shares), weights=list(shares.values()))[0]


def when_offices_open(moment: datetime) -> datetime:
    """Returns the next time at which offices open, or the given time if they open then (UTC)."""
    opening = datetime.combine(moment.astimezone(UTC).date(), OFFICES_OPEN)
    return opening if opening >= moment else opening + timedelta(days=1)
