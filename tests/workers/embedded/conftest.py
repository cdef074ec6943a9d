"""Temporary homes, and launchers that tests start, interrupt and kill."""

from __future__ import annotations

import os
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from workers.embedded.postgres import Postgres, server_processes
from workers.settings import Home

PROJECT = Path(__file__).parents[3]

LAUNCHER = PROJECT / "tests" / "support" / "launcher.py"


class Launcher:
    """One `up` in its own process."""

    def __init__(self, home: Path, python: str = sys.executable, **options: Any) -> None:
        self.home = Home(home)
        self.output: list[str] = []
        env = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "AWDA_HOME": str(home)}
        env["PYTHONPATH"] = os.pathsep.join((str(PROJECT), *site.getsitepackages()))
        self.process: subprocess.Popen[str] = subprocess.Popen(
            [python, str(LAUNCHER)], env=env | options.pop("env", {}), cwd="/", text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, **options,
        )  # fmt: skip

    def until(self, word: str) -> str:
        """Reads its output up to the line that contains this word, and returns the line."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.output.append(line.strip())
            if word in line:
                return line.strip()
        raise AssertionError(f"the output does not contain {word!r}: {self.output}")

    def come_up(self) -> None:
        self.until("ready")
        while not self.home.state().get("ready"):
            time.sleep(0.01)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def pid_of(self, name: str) -> int | None:
        """``None`` while it is being started."""
        pids: dict[str, int | None] = {each["name"]: each["pid"] for each in self.home.state()["processes"]}
        return pids[name]

    def interrupt(self) -> float:
        """Sends Ctrl-C. Returns the seconds until the launcher has ended."""
        since = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        return time.monotonic() - since

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(5)

    def close(self) -> None:
        if self.process.poll() is None:
            self.interrupt()
        if self.process.stdout:
            self.process.stdout.close()


@pytest.fixture(scope="session")
async def furnished() -> AsyncIterator[Path]:
    """A home with a new cluster, to be copied: creating a cluster takes longer than most tests."""
    root = Path(tempfile.mkdtemp(prefix="awda-seed-"))
    postgres = postgres_of(root)
    await postgres.start()
    await postgres.stop()
    yield root
    await postgres.remove()
    shutil.rmtree(root)


@pytest.fixture
def home(furnished: Path, empty: Path) -> Path:
    subprocess.run(["cp", "-a", f"{furnished}/.", str(empty)], check=True)
    return empty


@pytest.fixture
def empty() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="awda-home-"))
    yield root
    for process in server_processes(root / "postgres" / "data"):
        process.kill()
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def launch() -> Iterator[Callable[..., Launcher]]:
    started: list[Launcher] = []

    def start(home: Path, **options: Any) -> Launcher:
        started.append(Launcher(home, **options))
        return started[-1]

    yield start
    for each in started:
        each.close()


def gone(processes: list[psutil.Process], timeout_s: float) -> bool:
    """Returns whether all have ended. A zombie process has ended."""
    until = time.monotonic() + timeout_s
    while any(lives(each) for each in processes) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(lives(each) for each in processes)


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def postgres_of(home: Path) -> Postgres:
    return Postgres(Home(home).make())
