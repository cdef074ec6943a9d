"""A small demonstration from an empty home to the last closure, twice, with real servers and processes."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.demo import run_demo
from simulator.people import people
from simulator.scenarios import journey_script
from tests.support.ports import free_port
from workers.embedded.installation import servers
from workers.settings import InvalidSettingError, Settings

pytestmark = pytest.mark.integration  # starts servers of its own

CASES, SEED = 5, 7

TIMED = {"seconds", "cases_per_second"}


@pytest.fixture
def home() -> Iterator[Path]:
    """Yields a folder with a short path, because Unix sockets are created in it."""
    folder = Path(tempfile.mkdtemp(prefix="awda-demo-"))
    yield folder / "home"
    shutil.rmtree(folder, ignore_errors=True)


async def lived(home: Path, **more: Any) -> dict[str, Any]:
    async with asyncio.timeout(300):
        found = await run_demo(Settings(home=home, port=free_port()), cases=CASES, seed=SEED, **more)
    return {name: value for name, value in found.items() if name not in TIMED}


@pytest.mark.slow
async def test_every_case_ends_as_its_script_says_and_the_same_seed_gives_the_same_figures(home: Path) -> None:
    reported: list[tuple[int, int, str]] = []
    first = await lived(home.with_name("first"), progress=lambda *step: reported.append(step))

    travelled = sum(journey_script(SEED, place).travels for place in range(CASES))
    assert 0 < travelled < CASES
    assert first["closed"] == first["cases"] == CASES
    assert first["departed"] == first["received"] == first["reintegrated"] == travelled
    assert first["not_returned"] == CASES - travelled
    assert first["verify"] == "clean"
    assert first["stages"]["REINTEGRATION"]["completed"] == travelled
    assert reported[-1][:2] == (CASES, CASES)

    second = await lived(home.with_name("second"), registrations=people(SEED, CASES)[:3])

    assert second == first


@pytest.mark.slow
async def test_a_home_that_holds_cases_is_left_alone(home: Path) -> None:
    from store.postgres.database import migrate

    async with servers(home, temporal=False) as found:
        assert found.owner_dsn
        assert found.postgres
        await migrate(found.owner_dsn)
        await found.postgres.ensure_role_passwords()
        await _start_a_stream(found.owner_dsn)

    with pytest.raises(InvalidSettingError, match="holds cases already"):
        await run_demo(Settings(home=home), cases=1)


async def _start_a_stream(dsn: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(dsn)
    await connection.execute("INSERT INTO streams (stream_id, kind, number) VALUES (gen_random_uuid(), 'case', 'N-1')")
    await connection.close()
