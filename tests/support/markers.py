"""Divides the tests into `unit` and `integration`, and holds unit tests to it.

A test is `integration` when one of its fixtures, directly or through other fixtures, starts a server or a process, or
when it or its module carries the marker because its own code does so. Every other test is `unit`. While a unit test
runs, starting a process is an error, so the first run finds a marker that is missing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

STARTING_FIXTURES: Final = frozenset({"servers", "furnished", "launch", "stranger"})
"""Fixtures that start servers or processes. Pytest knows which tests need them through other fixtures."""

PROCESS_EVENTS: Final = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn"}
)
"""Python's audit events for a process that is started."""

ORDER: Final = ("exclusive", "slow", "integration")
"""Which tests parallel workers start with; unit tests fill the gaps at the end."""


class UnitGuard:
    """Fails a unit test when it starts a process. An audit hook cannot be removed, so one serves the whole run."""

    def __init__(self) -> None:
        self.test: str | None = None
        sys.addaudithook(self._audit)

    @contextmanager
    def watching(self, item: pytest.Item) -> Iterator[None]:
        self.test = item.nodeid if item.get_closest_marker("unit") else None
        try:
            yield
        finally:
            self.test = None

    def _audit(self, event: str, _arguments: tuple[object, ...]) -> None:
        if self.test is not None and event in PROCESS_EVENTS:
            pytest.fail(
                f"{self.test} is a unit test and starts a process ({event}). "
                "Mark it with pytest.mark.integration, or test it without a process."
            )


def assign(item: pytest.Item) -> None:
    """Adds `unit` or `integration` to a collected test."""
    if item.get_closest_marker("integration") is not None:
        return
    starts = STARTING_FIXTURES.intersection(getattr(item, "fixturenames", ()))
    item.add_marker(pytest.mark.integration if starts else pytest.mark.unit)


def place_in_line(item: pytest.Item) -> int:
    """The position of a test's kind in the order of parallel runs; within a kind the order stays."""
    kinds = (number for number, kind in enumerate(ORDER) if item.get_closest_marker(kind))
    return next(kinds, len(ORDER))
