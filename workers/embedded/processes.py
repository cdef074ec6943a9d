"""Child processes that never outlive their launcher: start, watch, start again, stop all."""

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

LEASH = Path(__file__).with_name("child_guard.py")

LOG_LIMIT = 10_000_000  # bytes; a longer log is set aside when its process starts again

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0  # seconds before a process that ended is started again

STEADY = 10.0  # seconds after which a process counts as healthy and its next pause is short again

TICK = 0.05


class ProcessStartError(Exception):
    """A program ended, or never answered, while it was being started."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run. `bare` keeps our own environment, and so our secrets, out of it."""

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
    def leashed(self) -> list[str]:
        account = f"{self.account[0]}:{self.account[1]}" if self.account else ""
        return [sys.executable, "-I", "-S", str(LEASH), ",".join(self.signals), str(self.grace), account, *self.argv]


def module(name: str, path: str, *arguments: str) -> Command:
    """One of our own modules as a program, found wherever it is started from."""
    known = os.environ.get("PYTHONPATH", "")
    env = {"PYTHONPATH": os.pathsep.join(filter(None, (str(PROJECT), known)))}
    return Command(name, (sys.executable, "-P", "-m", path, *arguments), env)


class Supervised:
    """One program on its leash."""

    def __init__(self, command: Command, logs: Path) -> None:
        self.command = command
        self.log = logs / f"{command.name}.log"
        self.note = logs / f"{command.name}.pid"  # for the next start, should this one end badly
        self.leash: subprocess.Popen[bytes] | None = None
        self.pid: int | None = None
        self.identity: tuple[Running, ...] = ()
        self.log_start = 0

    @property
    def server(self) -> Supervised:
        return self

    @property
    def running(self) -> bool:
        return self.leash is not None and self.leash.poll() is None

    @property
    def code(self) -> int | None:
        """What the program ended with; None while it runs."""
        return self.leash.poll() if self.leash else None

    async def start(self) -> None:
        """Start the program once; its output goes to the end of its log."""
        set_aside(self.log)
        with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as output:
            self.log_start = output.tell()
            self.leash = subprocess.Popen(
                self.command.leashed, env=self.command.environment, cwd="/" if self.command.bare else None,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, start_new_session=True, umask=0o077,
            )  # fmt: skip
        await self.learn_pid(self.leash)

    async def learn_pid(self, leash: subprocess.Popen[bytes]) -> None:
        assert leash.stdout  # noqa: S101 - asked for above
        with leash.stdout:
            told = await asyncio.to_thread(leash.stdout.readline)
        if not told:
            await self.stop()
            raise ProcessStartError(f"{self.command.name} could not be started: {self.last_words()}")
        self.pid = int(told)
        self.identity = tuple(found for pid in (leash.pid, self.pid) if (found := Running.of(pid)))
        self.note.write_text(json.dumps(self.record))

    def release(self) -> None:
        """Let go of the leash, which ends the program."""
        if self.leash and self.leash.stdin:
            self.leash.stdin.close()

    async def stop(self) -> None:
        self.release()
        patience = len(self.command.signals) * self.command.grace + 1.0
        await self.ended(patience)
        if self.leash:
            kill_group(self.leash.pid)
            await asyncio.to_thread(self.leash.wait)
            self.leash = None
            self.note.unlink(missing_ok=True)

    async def ended(self, patience: float = float("inf")) -> bool:
        until = time.monotonic() + patience
        while self.running and time.monotonic() < until:
            await asyncio.sleep(TICK)
        return not self.running

    def last_words(self, limit: int = 600) -> str:
        """The end of what the program wrote since it was last started, for whoever must mend it."""
        with self.log.open("rb") as file:
            file.seek(self.log_start)
            said = file.read().decode(errors="replace").strip()
        return said[-limit:] or "it said nothing"

    @property
    def record(self) -> dict[str, Any]:
        members = [{"pid": each.pid, "started": each.started} for each in self.identity]
        return {"name": self.command.name, "pid": self.pid, "members": members}


def set_aside(path: Path) -> None:
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))


def kill_group(pid: int) -> None:
    """End whatever is left of a leash's group; nothing is done when nothing is left."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


class Service(Protocol):
    """Something kept running: one of our own processes, or a server that needs more than a start."""

    @property
    def server(self) -> Supervised | None: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


async def keep(service: Service, changed: Callable[[], None]) -> None:
    """Start a program again whenever it ends, more slowly each time it does not last. Ends only by cancellation."""
    pause = FIRST_PAUSE
    while True:
        since = time.monotonic()
        if service.server:
            await service.server.ended()
        pause = FIRST_PAUSE if time.monotonic() - since > STEADY else min(pause * 2, LONGEST_PAUSE)
        log.warning("%s ended; starting it again in %.1f s", name_of(service), pause)
        changed()
        await asyncio.sleep(pause)
        try:
            await service.stop()
            await service.start()
        except Exception as failed:  # noqa: BLE001 - a supervisor outlives what it supervises
            log.warning("%s could not be started again: %s", name_of(service), failed)
        changed()


async def cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel until all have ended: on Python 3.11 a wait that was just satisfied swallows a cancellation."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.1)


def name_of(service: Service) -> str:
    return service.server.command.name if service.server else type(service).__name__


async def stop_all(services: Iterable[Service]) -> None:
    """Ask all at once and wait for all."""
    await asyncio.gather(*(service.stop() for service in services))


async def end_leftovers(logs: Path, patience: float = 6.0) -> list[str]:
    """End what an earlier start noted and did not stop, and say what it was.

    A leash that lost its launcher is ending its program already. A program that lost its leash is asked here.
    """
    left: dict[Running, str] = {}
    for record in notes(logs):
        members = [Running(member["pid"], member["started"]) for member in record.get("members", ())]
        alive = {who: str(record["name"]) for who in members if who.process}
        if alive and not members[0].process:
            ask(alive)
        left |= alive
    until = time.monotonic() + patience
    while any(who.process for who in left) and time.monotonic() < until:
        await asyncio.sleep(TICK)
    for who in left:
        if process := who.process:
            process.kill()
    forget(logs)
    return sorted(set(left.values()))


def notes(logs: Path) -> Iterator[dict[str, Any]]:
    """What was noted at each start that did not end in a stop. A torn note tells nothing and is passed over."""
    for path in logs.glob("*.pid"):
        with suppress(ValueError, OSError):
            yield json.loads(path.read_text())


def forget(logs: Path) -> None:
    for path in logs.glob("*.pid"):
        path.unlink(missing_ok=True)


def ask(alive: Iterable[Running]) -> None:
    for who in alive:
        if process := who.process:
            process.send_signal(signal.SIGINT)
