"""Real servers for every test: one PostgreSQL and one Temporal for a whole run, an empty database for each test."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.databases import Database, Databases
from workers.embedded.installation import Servers
from workers.embedded.installation import servers as real_servers

__all__ = ["Database"]

settings.register_profile(
    "awda", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)

settings.load_profile("awda")  # no test may fail because a machine was slow

FAST_TIMERS = (
    "--dynamic-config-value",
    "frontend.WorkflowTimeSkippingEnabled=true",
    "--dynamic-config-value",
    'history.timerProcessorMaxTimeShift="1ms"',
)


@pytest.fixture(scope="session")
async def servers() -> AsyncIterator[Servers]:
    """Under pytest-xdist each worker has servers of its own."""
    home = Path(tempfile.mkdtemp(prefix="awda-tests-"))
    async with real_servers(home, headless=True, temporal_extra=FAST_TIMERS, throw_away=True) as found:
        yield found


@pytest.fixture(scope="session")
async def databases(servers: Servers) -> Databases:
    """The databases of the server, none of them made yet."""
    assert servers.postgres
    found = Databases(servers.postgres)
    await found.begin()
    return found


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    found = await databases.take()
    yield found
    await databases.give_back(found)
