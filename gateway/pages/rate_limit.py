"""Limits how often an action is allowed: for each address, and for all addresses together. Uses the real clock."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

ALL = ""


@dataclass
class PageRateLimit:
    """Counts actions in memory, in each process separately. It protects against floods and need not be exact.

    ``each`` and ``all`` are the most actions within ``seconds``, for one address and for all of them.
    """

    each: int
    all: int
    seconds: float
    clock: Callable[[], float] = monotonic
    remembered: int = 4096
    done: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)

    def allows(self, address: str) -> bool:
        """Returns whether the address may act once more. An allowed action is counted."""
        since = self.clock() - self.seconds
        if self._count(ALL, since) >= self.all or self._count(address, since) >= self.each:
            return False
        for name in (ALL, address):
            self.done.setdefault(name, deque()).append(self.clock())
            self.done.move_to_end(name)
        if len(self.done) > self.remembered:
            self.done.popitem(last=False)
        return True

    def _count(self, name: str, since: float) -> int:
        times = self.done.get(name)
        while times and times[0] <= since:
            times.popleft()
        return len(times or ())
