"""Dice that fall alike whenever the same seed asks the same question, and the hours at which people work.

Everybody acts when offices open: steps of many cases then share one stop of the clock.
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
    """How long something takes: lognormal, by its median and its spread, never longer than ``most`` (days)."""

    median: float
    sigma: float = 0.0
    most: float = 400.0

    def drawn(self, rolls: random.Random) -> timedelta:
        return timedelta(days=min(self.most, self.median * rolls.lognormvariate(0.0, self.sigma)))


def seeded_random(*question: object) -> random.Random:
    """A generator of its own for one question."""
    return random.Random("/".join(map(str, question)))


def chosen(rolls: random.Random, shares: Mapping[T, float]) -> T:
    """One of several, as often as its share says."""
    return rolls.choices(list(shares), weights=list(shares.values()))[0]


def when_offices_open(moment: datetime) -> datetime:
    """That moment or the next one at which offices open (UTC)."""
    opening = datetime.combine(moment.astimezone(UTC).date(), OFFICES_OPEN)
    return opening if opening >= moment else opening + timedelta(days=1)
