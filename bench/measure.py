"""What a measurement is, and how two things are paired."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Measurement:
    """One line of the table. ``at_least`` says which side of the target holds."""

    name: str
    value: float
    unit: str
    target: float
    at_least: bool
    detail: str = ""

    @property
    def holds(self) -> bool:
        return self.value >= self.target if self.at_least else self.value <= self.target

    def row(self) -> dict[str, Any]:
        told = asdict(self)
        sign = ">=" if told.pop("at_least") else "<="
        return {**told, "value": round(self.value, 3), "target": f"{sign} {self.target:g}", "holds": self.holds}


Run = Callable[[], Awaitable[float]]
"""Does a fixed piece of work once and says its rate (more is better)."""


async def pairs(ours: Callable[[], Awaitable[T]], theirs: Callable[[], Awaitable[T]], rounds: int) -> list[tuple[T, T]]:
    """What each side found in interleaved rounds, first one side then the other leading."""
    rates = []
    for number in range(rounds):
        pair = [ours, theirs] if number % 2 == 0 else [theirs, ours]
        found = {run: await run() for run in pair}
        rates.append((found[ours], found[theirs]))
    return rates


async def paired(ours: Run, theirs: Run, rounds: int) -> tuple[float, str]:
    """The median of ours/theirs over interleaved rounds."""
    return compared(await pairs(ours, theirs, rounds))


def compared(rates: Sequence[tuple[float, float]], unit: str = "/s") -> tuple[float, str]:
    """The median of the ratios of pairs, and how it came about."""
    ratios = [mine / other for mine, other in rates]
    mine, other = (statistics.median(side) for side in zip(*rates, strict=True))
    spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
    return statistics.median(ratios), f"{mine:,.0f}{unit} against {other:,.0f}{unit}, rounds {spread}"
