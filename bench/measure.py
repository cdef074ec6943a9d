"""Measurements with targets, and the comparison of two implementations in interleaved rounds."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Measurement:
    """One line of the table. ``at_least``: whether the target is a minimum or a maximum."""

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
        row = asdict(self)
        sign = ">=" if row.pop("at_least") else "<="
        return {**row, "value": round(self.value, 3), "target": f"{sign} {self.target:g}", "holds": self.holds}


Run = Callable[[], Awaitable[float]]
"""Does a fixed amount of work once and returns its rate (higher is better)."""


async def pairs(ours: Callable[[], Awaitable[T]], theirs: Callable[[], Awaitable[T]], rounds: int) -> list[tuple[T, T]]:
    """Returns the results of both sides in interleaved rounds; the sides alternate in going first."""
    rates = []
    for number in range(rounds):
        pair = [ours, theirs] if number % 2 == 0 else [theirs, ours]
        found = {run: await run() for run in pair}
        rates.append((found[ours], found[theirs]))
    return rates


async def paired(ours: Run, theirs: Run, rounds: int) -> tuple[float, str]:
    """Returns the median of ours/theirs over interleaved rounds, with a text that explains it."""
    return compared(await pairs(ours, theirs, rounds))


def compared(rates: Sequence[tuple[float, float]], unit: str = "/s") -> tuple[float, str]:
    """Returns the median ratio of the pairs, and a text with both medians and the range of ratios."""
    ratios = [mine / other for mine, other in rates]
    mine, other = (statistics.median(side) for side in zip(*rates, strict=True))
    spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
    return statistics.median(ratios), f"Awda {mine:,.0f}{unit}, reference {other:,.0f}{unit}; ratios {spread}"
