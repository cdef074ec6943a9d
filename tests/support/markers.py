"""Divides the tests into `unit` and `integration`, and holds unit tests to it.

A test is `integration` when one of its fixtures, directly or through other fixtures, starts a server or a process, or
when it or its module carries the marker because its own code does so. Every other test is `unit`. While a unit test
runs, starting a process is an error, and so is a connection to a database, so the first run finds a missing marker.
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
    """Fails a unit test when it starts a process or connects to the socket of a database.

    An audit hook cannot be removed, so one serves the whole run.
    """

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

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.test is None:
            return
        if event in PROCESS_EVENTS or (event == "socket.connect" and isinstance(arguments[1], str | bytes)):
            pytest.fail(
                f"{self.test} is a unit test and needs a process or a server ({event}). "
                "Mark it with pytest.mark.integration, or test it without."
            )


def is_integration(item: pytest.Item) -> bool:
    """Returns whether a test is marked so, or uses a fixture that starts a server or a process."""
    marked = item.get_closest_marker("integration") is not None
    return marked or not STARTING_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def assign(item: pytest.Item) -> None:
    """Adds `unit` or `integration` to a collected test."""
    item.add_marker(pytest.mark.integration if is_integration(item) else pytest.mark.unit)


def place_in_line(item: pytest.Item) -> int:
    """The position of a test's kind in the order of parallel runs; within a kind the order stays."""
    kinds = (number for number, kind in enumerate(ORDER) if item.get_closest_marker(kind))
    return next(kinds, len(ORDER))
