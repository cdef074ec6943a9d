"""Supervision of child processes: start, watch, restart, stop. A child process never outlives its launcher."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from workers.settings import Running

log = logging.getLogger("awda.processes")

PROJECT = Path(__file__).resolve().parent.parent.parent

GUARD = Path(__file__).with_name("child_guard.py")

LOG_LIMIT = 10_000_000  # bytes; a longer log is rotated when its process starts again

FIRST_RESTART_DELAY, LONGEST_RESTART_DELAY = 0.25, 10.0  # seconds

HEALTHY_AFTER = 10.0  # seconds; a process that ran longer is restarted with the first delay again

POLL_INTERVAL = 0.05  # seconds

LOG_TAIL = 600  # characters of a log that are shown with an error


class ProcessStartError(Exception):
    """A program ended or did not answer while it was being started."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run. With ``bare``, it does not inherit the environment, which may hold secrets.

    To stop it, the ``signals`` are sent one after the other with ``grace`` seconds after each. ``account`` is the uid
    and gid to run it as; ``None`` means the same user.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    bare: bool = False
    signals: tuple[str, ...] = ("SIGTERM",)
    grace: float = 1.5
    account: tuple[int, int] | None = None

    @property
    def environment(self) -> dict[str, str]:
        inherited = {"PATH": os.defpath, "LANG": "C"} if self.bare else dict(os.environ)
        return inherited | dict(self.env)

    @property
    def guarded_argv(self) -> list[str]:
        account = f"{self.account[0]}:{self.account[1]}" if self.account else ""
        return [sys.executable, "-I", "-S", str(GUARD), ",".join(self.signals), str(self.grace), account, *self.argv]


def module(name: str, path: str, *arguments: str) -> Command:
    """Returns the command that runs a module of this project, whatever the working folder is."""
    known = os.environ.get("PYTHONPATH", "")
    env = {"PYTHONPATH": os.pathsep.join(filter(None, (str(PROJECT), known)))}
    return Command(name, (sys.executable, "-P", "-m", path, *arguments), env)


class Supervised:
    """One program with its guard process (``child_guard.py``)."""

    def __init__(self, command: Command, logs: Path) -> None:
        self.command = command
        self.log = logs / f"{command.name}.log"
        self.pid_file = logs / f"{command.name}.pid"  # lets the next start end the program if this one cannot
        self.guard: subprocess.Popen[bytes] | None = None
        self.pid: int | None = None
        self.identity: tuple[Running, ...] = ()
        self.log_start = 0

    @property
    def server(self) -> Supervised:
        return self

    @property
    def running(self) -> bool:
        return self.guard is not None and self.guard.poll() is None

    @property
    def code(self) -> int | None:
        """The program's exit code; ``None`` while it runs."""
        return self.guard.poll() if self.guard else None

    async def start(self) -> None:
        """Starts the program. Its output is appended to its log. Raises ``ProcessStartError`` if it does not start."""
        rotate_log(self.log)
        with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as output:
            self.log_start = output.tell()
            self.guard = subprocess.Popen(
                self.command.guarded_argv, env=self.command.environment, cwd="/" if self.command.bare else None,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, start_new_session=True, umask=0o077,
            )  # fmt: skip
        await self.read_pid(self.guard)

    async def read_pid(self, guard: subprocess.Popen[bytes]) -> None:
        assert guard.stdout  # noqa: S101 - opened as a pipe above
        with guard.stdout:
            line = await asyncio.to_thread(guard.stdout.readline)
        if not line:
            await self.stop()
            raise ProcessStartError(f"{self.command.name} could not be started: {self.log_tail()}")
        self.pid = int(line)
        self.identity = tuple(found for pid in (guard.pid, self.pid) if (found := Running.of(pid)))
        self.pid_file.write_text(json.dumps(self.record))

    def release(self) -> None:
        """Closes the guard's standard input, which makes it end the program."""
        if self.guard and self.guard.stdin:
            self.guard.stdin.close()

    async def stop(self) -> None:
        """Ends the program, by force if its signals do not end it in time."""
        self.release()
        timeout_s = len(self.command.signals) * self.command.grace + 1.0
        await self.wait_until_ended(timeout_s)
        if self.guard:
            kill_group(self.guard.pid)
            await asyncio.to_thread(self.guard.wait)
            self.guard = None
            self.pid_file.unlink(missing_ok=True)

    async def wait_until_ended(self, timeout_s: float = float("inf")) -> bool:
        """Waits until the program has ended, at most ``timeout_s`` seconds. Returns whether it has."""
        until = time.monotonic() + timeout_s
        while self.running and time.monotonic() < until:
            await asyncio.sleep(POLL_INTERVAL)
        return not self.running

    def log_tail(self, limit: int = LOG_TAIL) -> str:
        """Returns the end of what the program has written since its last start, for error messages."""
        with self.log.open("rb") as file:
            file.seek(self.log_start)
            written = file.read().decode(errors="replace").strip()
        return written[-limit:] or "its log is empty"

    @property
    def record(self) -> dict[str, Any]:
        members = [{"pid": each.pid, "started": each.started} for each in self.identity]
        return {"name": self.command.name, "pid": self.pid, "members": members}


def rotate_log(path: Path) -> None:
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))


def kill_group(pid: int) -> None:
    """Kills what remains of a guard's process group, if anything does."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


class Service(Protocol):
    """Something that is kept running: a process, or a server whose start takes more steps."""

    @property
    def server(self) -> Supervised | None: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


async def supervise(service: Service, on_change: Callable[[], None]) -> None:
    """Restarts a service whenever it ends, with exponential delays while it keeps ending. Runs until cancelled."""
    delay = FIRST_RESTART_DELAY
    while True:
        since = time.monotonic()
        if service.server:
            await service.server.wait_until_ended()
        lasted = time.monotonic() - since > HEALTHY_AFTER
        delay = FIRST_RESTART_DELAY if lasted else min(delay * 2, LONGEST_RESTART_DELAY)
        log.warning("%s ended; restarting it in %.1f s", name_of(service), delay)
        on_change()
        await asyncio.sleep(delay)
        try:
            await service.stop()
            await service.start()
        except Exception as error:  # noqa: BLE001 - a supervisor survives every error of what it supervises
            log.warning("%s could not be restarted: %s", name_of(service), error)
        on_change()


async def cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancels tasks until all have ended: on Python 3.11 a wait that was just satisfied swallows a cancellation."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.1)


def name_of(service: Service) -> str:
    return service.server.command.name if service.server else type(service).__name__


async def stop_all(services: Iterable[Service]) -> None:
    """Stops all services concurrently."""
    await asyncio.gather(*(service.stop() for service in services))


async def end_leftover_processes(logs: Path, timeout_s: float = 6.0) -> list[str]:
    """Ends the processes that an earlier start recorded and did not stop. Returns their names.

    A guard whose launcher has ended is already ending its program. A program whose guard has ended is interrupted
    here. What still runs after ``timeout_s`` seconds is killed.
    """
    left: dict[Running, str] = {}
    for record in read_pid_files(logs):
        members = [Running(member["pid"], member["started"]) for member in record.get("members", ())]
        alive = {member: str(record["name"]) for member in members if member.process}
        if alive and not members[0].process:
            interrupt(alive)
        left |= alive
    until = time.monotonic() + timeout_s
    while any(running.process for running in left) and time.monotonic() < until:
        await asyncio.sleep(POLL_INTERVAL)
    for running in left:
        if process := running.process:
            process.kill()
    remove_pid_files(logs)
    return sorted(set(left.values()))


def read_pid_files(logs: Path) -> Iterator[dict[str, Any]]:
    """Yields the records of processes that were started and not stopped. An incomplete file is skipped."""
    for path in logs.glob("*.pid"):
        with suppress(ValueError, OSError):
            yield json.loads(path.read_text())


def remove_pid_files(logs: Path) -> None:
    for path in logs.glob("*.pid"):
        path.unlink(missing_ok=True)


def interrupt(processes: Iterable[Running]) -> None:
    for running in processes:
        if process := running.process:
            process.send_signal(signal.SIGINT)
