"""`up` under interrupts, kills and conflicts: it starts, runs once per home, stops completely, and starts again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from tests.workers.embedded.conftest import LAUNCHER, PROJECT, Launcher, gone
from workers.embedded.installation import down, launch_apart, servers, status
from workers.embedded.postgres import Account, may_pass, server_account
from workers.embedded.processes import GUARD, cancel
from workers.settings import Home

Launch = Callable[..., Launcher]


def states(home: Path) -> dict[str, str]:
    return {each["name"]: each["state"] for each in status(Home(home))["processes"]}


async def test_ctrl_c_stops_everything_within_five_seconds(home: Path, launch: Launch) -> None:
    running = launch(home)
    running.come_up()
    family = running.children()
    assert states(home) == {"postgres": "running", "temporal": "running", "idle": "running"}
    assert running.interrupt() < 5
    assert gone(family, 0.5)
    assert states(home) == {}
    assert status(Home(home))["temporal_address"] is None


async def test_ctrl_c_during_the_first_start_leaves_nothing_running(empty: Path, launch: Launch) -> None:
    running = launch(empty)
    while not (empty / "logs" / "initdb.log").exists():
        time.sleep(0.02)
    family = running.children()
    assert running.interrupt() < 5
    assert gone(family, 0.5)
    launch(empty).come_up()


async def test_a_second_start_is_refused_and_changes_nothing(home: Path, launch: Launch) -> None:
    first = launch(home)
    first.come_up()
    before = (home / "state.json").read_text()
    refused = f"refused: Awda is already running from {home} (process {first.process.pid}). Stop it with `awda down`."
    assert launch(home).until("refused") == refused
    assert (home / "state.json").read_text() == before
    assert states(home)["postgres"] == "running"


async def test_after_kill_9_of_the_launcher_nothing_survives_and_the_next_start_works(
    home: Path, launch: Launch
) -> None:
    first = launch(home)
    first.come_up()
    family = first.children()
    first.kill()
    second = launch(home)  # at once, while the first one's programs are still ending
    second.come_up()
    assert gone(family, 0.5)
    assert states(home) == {"postgres": "running", "temporal": "running", "idle": "running"}


async def test_after_kill_9_of_everything_the_next_start_works(home: Path, launch: Launch) -> None:
    first = launch(home)
    first.come_up()
    family = first.children()
    for each in (psutil.Process(first.process.pid), *family):
        with suppress(psutil.NoSuchProcess):  # the processes of a database end with it
            each.kill()
    first.process.wait(5)
    launch(home).come_up()
    assert gone(family, 0.5)


async def test_after_kill_9_of_launcher_and_guards_the_next_start_ends_the_rest(home: Path, launch: Launch) -> None:
    first = launch(home)
    first.come_up()
    family = first.children()
    guards = [each for each in family if GUARD.name in " ".join(each.cmdline())]
    assert guards
    for each in guards:
        each.suspend()  # so that none ends its program first
    first.process.kill()
    for each in guards:
        each.kill()
    first.process.wait(5)
    second = launch(home)
    second.until("Ended its remaining processes: idle, postgres, temporal.")
    second.come_up()
    assert gone(family, 0.5)


async def test_a_process_that_is_killed_is_restarted(home: Path, launch: Launch) -> None:
    running = launch(home)
    running.come_up()
    before = {name: running.pid_of(name) for name in ("postgres", "temporal", "idle")}
    for pid in before.values():
        assert pid
        os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 15
    while not all(is_new(running, name, pid) for name, pid in before.items()) and time.monotonic() < until:
        time.sleep(0.05)
    assert all(is_new(running, name, pid) for name, pid in before.items())


def is_new(running: Launcher, name: str, before: int | None) -> bool:
    return running.pid_of(name) != before and states(running.home.root)[name] == "running"


async def test_a_port_in_use_is_replaced_and_this_is_reported(home: Path, launch: Launch) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running = launch(home, env={"AWDA_PORT": str(port)})
        assert running.until("the gateway uses").startswith(f"Port {port} is in use; the gateway uses port ")
        running.come_up()


async def test_a_log_that_may_be_changed_keeps_everything_from_starting(home: Path, launch: Launch) -> None:
    async with servers(home, temporal=False) as found:
        assert found.owner_dsn
        connection = await asyncpg.connect(found.owner_dsn)
        await connection.execute(
            "CREATE TABLE events (n int); CREATE ROLE awda_app LOGIN; GRANT UPDATE ON events TO awda_app"
        )
        await connection.close()
    running = launch(home)
    assert running.until("unfit") == "unfit: append-only events"
    running.process.wait(5)
    assert states(home) == {}


async def test_configured_servers_are_used_and_not_started(home: Path, launch: Launch, tmp_path: Path) -> None:
    first = launch(home)
    first.come_up()
    owner = f"postgresql://awda_owner:{Home(home).secret('awda_owner')}@/awda?host={home}/postgres/run&port=5432"
    address = str(status(Home(home))["temporal_address"])
    other = launch(tmp_path / "other", env={"AWDA_DATABASE_URL": owner, "AWDA_TEMPORAL_ADDRESS": address})
    other.come_up()
    assert states(tmp_path / "other") == {"idle": "running"}
    found = status(Home(tmp_path / "other"))
    assert found["temporal_address"] == address
    assert Home(home).secret("awda_owner") not in found["database"]


async def test_a_detached_start_returns_when_it_is_ready_and_down_ends_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWDA_HOME", str(home))
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    found = await launch_apart([sys.executable, str(LAUNCHER)], Home(home))
    assert {each["state"] for each in found["processes"]} == {"running"}
    assert await down(Home(home))
    assert states(home) == {}
    assert not await down(Home(home))


def python_for(account: Account) -> str | None:
    """Returns a Python of this version that another account can run."""
    for each in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        real = Path(each).resolve()
        if real.exists() and may_pass(real.parent, account) and may_pass(Path(sys.prefix), account):
            return each
    return None


async def test_an_ordinary_user_needs_nothing_from_root(empty: Path, launch: Launch) -> None:
    if os.geteuid() != 0:
        pytest.skip("the other tests of this file already run as an ordinary user")
    account = server_account()
    python = python_for(account) if account else None
    if not account or not python:
        pytest.skip("an ordinary user can run no Python on this machine")
    os.chown(empty, account.uid, account.gid)
    running = launch(empty, python=python, user=account.uid, group=account.gid, extra_groups=[])
    running.come_up()
    assert {each.uids().real for each in running.children()} == {account.uid}
    assert running.interrupt() < 5


@pytest.mark.integration
def test_a_program_that_ignores_its_signals_is_ended_by_force() -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    )
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", str(GUARD), "SIGTERM", "0.3", "", sys.executable, "-c", stubborn],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)  # fmt: skip
    assert guard.stdout
    assert guard.stderr
    child = psutil.Process(int(guard.stdout.readline()))
    guard.stderr.readline()
    since = time.monotonic()
    guard.communicate()
    assert gone([child], 0.5)
    assert 0.2 < time.monotonic() - since < 3


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    async def swallow_one_cancellation() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    task = asyncio.create_task(swallow_one_cancellation())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await cancel([task])
    assert task.cancelled()
