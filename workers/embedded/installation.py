"""One installation on one machine: real servers and all of Awda's processes, brought up in order and down together."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from workers.doctor import insist
from workers.embedded.postgres import APP, READER, Postgres, as_role, ensure_role_passwords, without_password
from workers.embedded.processes import (
    Command,
    ProcessStartError,
    Service,
    Supervised,
    cancel,
    end_leftovers,
    keep,
    stop_all,
)
from workers.embedded.temporal import LOOPBACK, Temporal, port_for, until_answers
from workers.network_probe import listens
from workers.settings import AlreadyRunningError, Home, InvalidSettingError, Running, Settings, State

log = logging.getLogger("awda.embedded")

GATEWAY = "gateway"  # the process whose port people and partners use

GATEWAY_LIMIT = 60.0  # seconds until it must listen

DOWN_LIMIT = 8.0  # seconds a launcher gets before it is ended by force

One = TypeVar("One")

Other = TypeVar("Other")

Say = Callable[[str], None]

Migrate = Callable[[str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers are. `owner_dsn` is None when we were given a role that may not migrate."""

    home: Home
    owner_dsn: str | None = field(repr=False)
    app_dsn: str = field(repr=False)
    temporal_address: str
    temporal_namespace: str = "default"
    temporal_ui_url: str | None = None
    postgres: Postgres | None = field(default=None, repr=False)
    temporal: Temporal | None = field(default=None, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """What a process of ours must be told; its database role may only add events."""
        return {
            "AWDA_HOME": str(self.home.root),
            "AWDA_DATABASE_URL": self.app_dsn,
            "AWDA_TEMPORAL_ADDRESS": self.temporal_address,
            "AWDA_TEMPORAL_NAMESPACE": self.temporal_namespace,
        }


class Installation:
    """Everything one launcher started, in the order it was started."""

    def __init__(self, settings: Settings, home: Home, say: Say) -> None:
        self.settings, self.home, self.say = settings, home, say
        self.servers: list[Service] = []
        self.processes: list[Service] = []
        self.keepers: list[asyncio.Task[None]] = []
        self.facts: State = {"launcher": vars_of(Running.of(os.getpid()))}

    async def open_database(self, migrate: Migrate) -> tuple[str | None, str, Postgres | None]:
        if self.settings.database_url:
            owner, app = await given_database(self.settings.database_url, self.home, migrate)
            return owner, app, None
        postgres = Postgres(self.home, self.say)
        self.servers.append(postgres)
        await postgres.start()
        self.record()
        await migrate(postgres.owner_dsn)
        await postgres.ensure_role_passwords()
        return postgres.owner_dsn, postgres.app_dsn, postgres

    async def open_temporal(self) -> Temporal | None:
        if self.settings.temporal_address:
            await until_answers(self.settings.temporal_address, self.settings.temporal_namespace)
            return None
        temporal = Temporal(self.home, self.say, namespace=self.settings.temporal_namespace)
        self.servers.append(temporal)
        await temporal.start()
        self.record()
        return temporal

    async def open(self, processes: Sequence[Command], migrate: Migrate) -> Servers:
        (owner, app, postgres), temporal = await side_by_side(self.open_database(migrate), self.open_temporal())
        found = Servers(
            self.home, owner, app, temporal.address if temporal else str(self.settings.temporal_address),
            self.settings.temporal_namespace, temporal.ui_url if temporal else None, postgres, temporal,
        )  # fmt: skip
        self.facts |= {
            "temporal_address": found.temporal_address,
            "temporal_ui_url": found.temporal_ui_url,
            "database": without_password(app),
        }
        embedded = postgres is not None
        await insist(owner, app, found.temporal_address, namespace=found.temporal_namespace, embedded=embedded)
        await self.open_processes(processes, found)
        return found

    async def open_processes(self, processes: Sequence[Command], servers: Servers) -> None:
        port = port_for("the gateway", self.settings.port, self.say, self.settings.host)
        env = servers.environment | {"AWDA_HOST": self.settings.host, "AWDA_PORT": str(port)}
        for command in processes:
            child = Supervised(replace(command, env=env | dict(command.env)), self.home.logs)
            self.processes.append(child)
            await child.start()
        self.keepers = [asyncio.create_task(keep(each, self.record)) for each in (*self.servers, *self.processes)]
        url = f"http://{self.settings.host}:{port}"
        with_gateway = any(command.name == GATEWAY for command in processes)
        self.facts |= {"console_url": url, "api_url": f"{url}/api/v1"} if with_gateway else {}
        self.record()
        if with_gateway:
            await gateway_listens(self.settings.host, port)

    def record(self) -> None:
        """Write down what runs, so that another command, or the next start, finds it."""
        running = (each.server for each in (*self.servers, *self.processes))
        self.home.record(self.facts | {"processes": [each.record for each in running if each]})

    async def close(self) -> None:
        """Workers first, while their servers still listen; then the servers, together."""
        await cancel(self.keepers)
        await stop_all(self.processes)
        await stop_all(self.servers)


def vars_of(running: Running | None) -> dict[str, float]:
    return {"pid": running.pid, "started": running.started} if running else {}


async def side_by_side(one: Coroutine[Any, Any, One], other: Coroutine[Any, Any, Other]) -> tuple[One, Other]:
    """What both bring. If one fails, or nobody wants them any more, both have ended before that is told."""
    tasks = (asyncio.create_task(one), asyncio.create_task(other))
    try:
        return await asyncio.gather(*tasks)
    finally:
        await cancel(tasks)


async def gateway_listens(host: str, port: int) -> None:
    until = time.monotonic() + GATEWAY_LIMIT
    while not await listens(LOOPBACK if host == "0.0.0.0" else host, port):  # noqa: S104 - compared, not bound
        if time.monotonic() > until:
            raise ProcessStartError(
                f"The gateway does not listen on {host}:{port}. Its log is in the home's logs folder."
            )
        await asyncio.sleep(0.05)


async def given_database(dsn: str, home: Home, migrate: Migrate) -> tuple[str | None, str]:
    """A server of somebody's own: its owner's DSN if we were given that, and the one for our processes."""
    if not await may_migrate(dsn):
        return None, dsn
    await migrate(dsn)
    passwords = {role: home.secret(role) for role in (APP, READER)}
    try:
        await ensure_role_passwords(dsn, passwords)
    except asyncpg.InsufficientPrivilegeError:
        raise InvalidSettingError(
            f"The user of AWDA_DATABASE_URL may not set the password of {APP}. "
            f"Run `awda db migrate` as the owner, give {APP} a password, and set AWDA_DATABASE_URL to that role."
        ) from None
    return dsn, as_role(dsn, APP, passwords[APP])


async def may_migrate(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn, timeout=10)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as failed:
        reason = f"({type(failed).__name__})"
        raise ProcessStartError(
            f"AWDA_DATABASE_URL cannot be reached {reason}. Start that server, or unset it."
        ) from None
    try:
        asked = "SELECT current_user <> $1 AND has_database_privilege(current_database(), 'CREATE')"
        return bool(await connection.fetchval(asked, APP))
    finally:
        await connection.close()


async def up(
    settings: Settings, *, processes: Sequence[Command], migrate: Migrate, say: Say = log.info,
    ready: Callable[[Servers], Awaitable[None]] | None = None, stop: asyncio.Event | None = None,
) -> None:  # fmt: skip
    """Bring everything up, call `ready`, and stay until Ctrl-C, SIGTERM or `stop`; then bring everything down.

    Raises AlreadyRunning, having changed nothing, when this home is already up; Unfit when the servers cannot be
    trusted; WrongSetting or CannotStart when something is missing or does not come up.
    """
    home = Home(settings.home).make()
    with home.held(), stopped_by_signals(stop or asyncio.Event()) as asked:
        await clear_leftovers(home, say)
        here = Installation(settings, home, say)
        here.record()
        try:
            await until_asked(bring_up(here, processes, migrate, ready), asked)
        finally:
            await here.close()
            home.record({})


async def bring_up(
    here: Installation, processes: Sequence[Command], migrate: Migrate,
    ready: Callable[[Servers], Awaitable[None]] | None,
) -> None:  # fmt: skip
    found = await here.open(processes, migrate)
    if ready:
        await ready(found)
    here.facts["ready"] = True
    here.record()


async def until_asked(work: Coroutine[Any, Any, None], asked: asyncio.Event) -> None:
    """Do the work, then wait to be asked to stop; being asked earlier ends the work."""
    working, asking = asyncio.ensure_future(work), asyncio.ensure_future(asked.wait())
    try:
        await asyncio.wait({working, asking}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
            await asking
    finally:
        await cancel((working, asking))


@contextmanager
def stopped_by_signals(asked: asyncio.Event) -> Iterator[asyncio.Event]:
    """Ctrl-C, SIGTERM and a closed terminal all ask politely."""
    loop = asyncio.get_running_loop()
    polite = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    numbers = [number for number in polite if signal.getsignal(number) != signal.SIG_IGN]  # nohup means it
    for number in numbers:
        loop.add_signal_handler(number, asked.set)
    try:
        yield asked
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def clear_leftovers(home: Home, say: Say) -> None:
    if left := await end_leftovers(home.logs):
        say(f"The last start was not stopped properly; ended what it left: {', '.join(left)}.")


async def down(home: Home) -> bool:
    """Stop what runs from this home, and whatever an earlier start left behind. False: nothing was running."""
    state = home.state()
    launcher = running_of(state.get("launcher"))
    process = launcher.process if launcher else None
    if launcher and process:
        process.send_signal(signal.SIGTERM)
        await gone(launcher)
    with suppress(AlreadyRunningError), home.make().held():
        left = await end_leftovers(home.logs)
        home.record({})
        return bool(process or left)
    return bool(process)


async def gone(launcher: Running) -> None:
    until = time.monotonic() + DOWN_LIMIT
    while process := launcher.process:
        if time.monotonic() > until:
            process.kill()
        await asyncio.sleep(0.05)


def running_of(record: Mapping[str, Any] | None) -> Running | None:
    return Running(record["pid"], record["started"]) if record else None


def status(home: Home) -> dict[str, Any]:
    """What runs from this home now. Addresses are null when nothing does."""
    state = home.state()
    launcher = running_of(state.get("launcher"))
    alive = bool(launcher and launcher.process)
    addresses = ("console_url", "api_url", "temporal_ui_url", "temporal_address", "database")
    return {name: state.get(name) if alive else None for name in addresses} | {
        "processes": [
            {"name": each["name"], "pid": each["pid"], "state": "running" if is_alive(each) else "stopped"}
            for each in state.get("processes", [])
        ]
    }


def is_alive(record: Mapping[str, Any]) -> bool:
    members = [found for member in record.get("members", ()) if (found := running_of(member))]
    return any(member.pid == record["pid"] and member.process for member in members)


async def launch_apart(argv: Sequence[str], home: Home, patience: float = 300.0) -> dict[str, Any]:
    """Run `argv` (an `awda up`) on its own, away from this terminal, and answer its status once it is ready."""
    said = home.make().logs / "up.log"
    pid = spawn_apart(argv, said)
    until = time.monotonic() + patience
    while not (home.state().get("ready") and home.state().get("launcher", {}).get("pid") == pid):
        if has_ended(pid) or time.monotonic() > until:
            words = said.read_text(errors="replace").strip()[-600:]
            raise ProcessStartError(f"Awda did not come up. Its last words: {words or 'none'}")
        await asyncio.sleep(0.1)
    return status(home)


def has_ended(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG)[0] == pid


def spawn_apart(argv: Sequence[str], output: Path) -> int:
    """A program in a session of its own, which nobody here waits for; its pid."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(output), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawnp(argv[0], list(argv), os.environ, file_actions=files, setsid=True)


@asynccontextmanager
async def servers(
    root: Path, *, headless: bool = True, temporal_extra: Sequence[str] = (), database: bool = True,
    temporal: bool = True, throw_away: bool = False, say: Say = log.info,
    postgres_settings: Mapping[str, str] | None = None,
) -> AsyncIterator[Servers]:  # fmt: skip
    """Real servers for a test, a bench or a demo, unmigrated. `throw_away` deletes the home afterwards."""
    home = Home(root).make()
    with home.held():
        await clear_leftovers(home, say)
        store = Postgres(home, say, postgres_settings)
        bell = Temporal(home, say, headless=headless, extra=temporal_extra)
        wanted: list[Service] = [*([store] if database else []), *([bell] if temporal else [])]
        try:
            await asyncio.gather(*(each.start() for each in wanted))
            home.record({"processes": [each.server.record for each in wanted if each.server]})
            yield Servers(home, store.owner_dsn if database else None, store.app_dsn if database else "", bell.address,
                          "default", bell.ui_url, store if database else None, bell if temporal else None)  # fmt: skip
        finally:
            await stop_all(wanted)
            home.record({})
            if throw_away:
                await store.remove()
                shutil.rmtree(root, ignore_errors=True)
