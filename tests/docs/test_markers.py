"""A unit run reaches no server: the markers follow from the fixtures, and a guard stops what they do not show."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.exclusive import TurnTaking
from tests.support.markers import STARTING_FIXTURES, is_integration

TESTS = Path(__file__).resolve().parents[1]

STOPPED = pytest.fail.Exception


def test_no_unit_test_uses_a_fixture_that_starts_a_server_or_a_process(request: pytest.FixtureRequest) -> None:
    units = [item for item in request.session.items if item.get_closest_marker("unit")]
    assert [item.nodeid for item in units if is_integration(item)] == []


def test_every_test_is_either_unit_or_integration(request: pytest.FixtureRequest) -> None:
    kinds = [{mark.name for mark in item.iter_markers()} & {"unit", "integration"} for item in request.session.items]
    assert all(len(kind) == 1 for kind in kinds)


@pytest.mark.parametrize("name", sorted(STARTING_FIXTURES))
def test_every_fixture_that_starts_something_exists(name: str) -> None:
    assert any(f"def {name}(" in file.read_text() for file in TESTS.rglob("conftest.py"))


def test_a_unit_test_that_starts_a_process_fails() -> None:
    with pytest.raises(STOPPED, match="is a unit test"):
        subprocess.run([sys.executable, "--version"], check=True)


def test_a_unit_test_that_reaches_the_servers_fixture_fails_when_it_connects(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection, pytest.raises(STOPPED, match=r"socket\.connect"):
        connection.connect(str(tmp_path / ".s.PGSQL.5432"))


@pytest.mark.integration
def test_an_integration_test_may_start_a_process() -> None:
    assert subprocess.run([sys.executable, "--version"], check=True, capture_output=True).returncode == 0


def test_an_exclusive_test_waits_for_the_others_and_they_for_it(tmp_path: Path) -> None:
    one, other = TurnTaking(tmp_path, "run"), TurnTaking(tmp_path, "run")
    with one.hold(exclusive=False):
        assert other.is_free(exclusive=False)
        assert not other.is_free(exclusive=True)
    with one.hold(exclusive=True):
        assert not other.is_free(exclusive=False)
    assert other.is_free(exclusive=True)
    one.close()
    other.close()
    assert list(tmp_path.iterdir()) == []
