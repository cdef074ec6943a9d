"""Real servers for integration tests: one PostgreSQL and one Temporal per worker, one empty database per test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Generator
from contextlib import nullcontext
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

from tests.support import exclusive, markers
from tests.support.databases import Database, Databases
from workers.embedded.installation import Servers
from workers.embedded.installation import servers as real_servers

__all__ = ["Database"]

settings.register_profile(
    "awda", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)

settings.load_profile("awda")  # no deadline: no test may fail because the machine is slow

FAST_TIMERS = (
    "--dynamic-config-value",
    "frontend.WorkflowTimeSkippingEnabled=true",
    "--dynamic-config-value",
    'history.timerProcessorMaxTimeShift="1ms"',
)


MEMORY = Path("/dev/shm")

ROOM, LEFT = 4 * 2**30, 8 * 2**30  # bytes that must be free there, and available on the machine

GUARD = markers.UnitGuard()

TURNS = exclusive.of_this_run()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Assigns the marker before `-m` selects by it."""
    markers.assign(item)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Orders the files for parallel workers: what takes longest is handed out first, so that all end together."""
    if TURNS:
        items.sort(key=markers.place_in_line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Surrounds one test with all its fixtures: alone where it must be, without processes where it is a unit test."""
    alone = item.get_closest_marker("exclusive") is not None
    with TURNS.hold(exclusive=alone) if TURNS else nullcontext(), GUARD.watching(item):
        return (yield)


def pytest_unconfigure() -> None:
    if TURNS:
        TURNS.close()


def memory_folder() -> Path | None:
    """Returns a folder in memory for the shared servers, where there is room: they wait for the disk at each commit.

    Tests that kill a server have servers of their own, on the disk.
    """
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ROOM:
        return None
    return MEMORY if psutil.virtual_memory().available >= LEFT else None


@pytest.fixture(scope="session")
async def servers() -> AsyncIterator[Servers]:
    """The servers of one process that runs tests; parallel workers do not share them."""
    home = Path(tempfile.mkdtemp(prefix="awda-tests-", dir=memory_folder()))
    async with real_servers(home, headless=True, temporal_extra=FAST_TIMERS, throw_away=True) as found:
        yield found


@pytest.fixture(scope="session")
async def databases(servers: Servers) -> Databases:
    """The databases of that server, with the template that all are copied from."""
    assert servers.postgres
    found = Databases(servers.postgres)
    await found.begin()
    return found


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    """An empty, migrated database."""
    found = await databases.take()
    yield found
    await databases.give_back(found)
