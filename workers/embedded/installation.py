"""A complete installation on one machine: starts the servers and Awda's processes in order, and stops them together."""

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

from workers.doctor import require_fit_servers
from workers.embedded.postgres import APP, READER, Postgres, as_role, ensure_role_passwords, without_password
from workers.embedded.processes import (
    LOG_TAIL,
    Command,
    ProcessStartError,
    Service,
    Supervised,
    cancel,
    end_leftover_processes,
    stop_all,
    supervise,
)
from workers.embedded.temporal import LOOPBACK, Temporal, choose_port, wait_until_serving
from workers.network_probe import listens
from workers.settings import AlreadyRunningError, Home, InvalidSettingError, Running, Settings, State

log = logging.getLogger("awda.embedded")

GATEWAY = "gateway"  # the process that serves HTTP to staff and partners

GATEWAY_LIMIT = 60.0  # seconds until it must listen

DOWN_LIMIT = 8.0  # seconds until a launcher that was asked to stop is killed

First = TypeVar("First")

Second = TypeVar("Second")

Say = Callable[[str], None]

Migrate = Callable[[str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Servers:
    """The addresses of the servers. ``owner_dsn`` is ``None`` if the configured role may not migrate."""

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
        """The environment for Awda's processes. Its database role may only add events."""
        return {
            "AWDA_HOME": str(self.home.root),
            "AWDA_DATABASE_URL": self.app_dsn,
            "AWDA_TEMPORAL_ADDRESS": self.temporal_address,
            "AWDA_TEMPORAL_NAMESPACE": self.temporal_namespace,
        }


class Installation:
    """What one launcher has started, in the order of starting."""

    def __init__(self, settings: Settings, home: Home, say: Say) -> None:
        self.settings, self.home, self.say = settings, home, say
        self.servers: list[Service] = []
        self.processes: list[Service] = []
        self.supervisors: list[asyncio.Task[None]] = []
        self.state: State = {"launcher": process_record(Running.of(os.getpid()))}

    async def open_database(self, migrate: Migrate) -> tuple[str | None, str, Postgres | None]:
        """Starts and migrates the embedded PostgreSQL, or uses the configured one.

        Returns the owner's DSN, the DSN for the processes, and the embedded server.
        """
        if self.settings.database_url:
            owner, app = await open_configured_database(self.settings.database_url, self.home, migrate)
            return owner, app, None
        postgres = Postgres(self.home, self.say)
        self.servers.append(postgres)
        await postgres.start()
        self.record()
        await migrate(postgres.owner_dsn)
        await postgres.ensure_role_passwords()
        return postgres.owner_dsn, postgres.app_dsn, postgres

    async def open_temporal(self) -> Temporal | None:
        """Starts the embedded Temporal, or waits for the configured one."""
        if self.settings.temporal_address:
            await wait_until_serving(self.settings.temporal_address, self.settings.temporal_namespace)
            return None
        temporal = Temporal(self.home, self.say, namespace=self.settings.temporal_namespace)
        self.servers.append(temporal)
        await temporal.start()
        self.record()
        return temporal

    async def open(self, processes: Sequence[Command], migrate: Migrate) -> Servers:
        """Starts the servers, checks them, then starts the processes."""
        (owner, app, postgres), temporal = await run_concurrently(self.open_database(migrate), self.open_temporal())
        found = Servers(
            self.home, owner, app, temporal.address if temporal else str(self.settings.temporal_address),
            self.settings.temporal_namespace, temporal.ui_url if temporal else None, postgres, temporal,
        )  # fmt: skip
        self.state |= {
            "temporal_address": found.temporal_address,
            "temporal_ui_url": found.temporal_ui_url,
            "database": without_password(app),
        }
        embedded = postgres is not None
        await require_fit_servers(
            owner, app, found.temporal_address, namespace=found.temporal_namespace, embedded=embedded
        )
        await self.open_processes(processes, found)
        return found

    async def open_processes(self, processes: Sequence[Command], servers: Servers) -> None:
        port = choose_port("the gateway", self.settings.port, self.say, self.settings.host)
        env = servers.environment | {"AWDA_HOST": self.settings.host, "AWDA_PORT": str(port)}
        for command in processes:
            child = Supervised(replace(command, env=env | dict(command.env)), self.home.logs)
            self.processes.append(child)
            await child.start()
        services = (*self.servers, *self.processes)
        self.supervisors = [asyncio.create_task(supervise(each, self.record)) for each in services]
        url = f"http://{self.settings.host}:{port}"
        with_gateway = any(command.name == GATEWAY for command in processes)
        self.state |= {"console_url": url, "api_url": f"{url}/api/v1"} if with_gateway else {}
        self.record()
        if with_gateway:
            await wait_for_gateway(self.settings.host, port)

    def record(self) -> None:
        """Stores what runs in the home, for other commands and for the next start."""
        running = (each.server for each in (*self.servers, *self.processes))
        self.home.record(self.state | {"processes": [each.record for each in running if each]})

    async def close(self) -> None:
        """Stops the processes first, while their servers are still available, then the servers."""
        await cancel(self.supervisors)
        await stop_all(self.processes)
        await stop_all(self.servers)


def process_record(running: Running | None) -> dict[str, float]:
    return {"pid": running.pid, "started": running.started} if running else {}


async def run_concurrently(
    first: Coroutine[Any, Any, First], second: Coroutine[Any, Any, Second]
) -> tuple[First, Second]:
    """Returns the results of both. If one fails or the caller is cancelled, both have ended before that is raised."""
    tasks = (asyncio.create_task(first), asyncio.create_task(second))
    try:
        return await asyncio.gather(*tasks)
    finally:
        await cancel(tasks)


async def wait_for_gateway(host: str, port: int) -> None:
    """Waits until the gateway listens. Raises ``ProcessStartError`` after a minute."""
    until = time.monotonic() + GATEWAY_LIMIT
    while not await listens(LOOPBACK if host == "0.0.0.0" else host, port):  # noqa: S104 - compared, not bound
        if time.monotonic() > until:
            raise ProcessStartError(
                f"The gateway did not start listening on {host}:{port}. See gateway.log in the home's logs folder."
            )
        await asyncio.sleep(0.05)


async def open_configured_database(dsn: str, home: Home, migrate: Migrate) -> tuple[str | None, str]:
    """Migrates the database of ``AWDA_DATABASE_URL`` if its role may do so, and sets the passwords of the roles.

    Returns the owner's DSN (``None`` if the role may not migrate) and the DSN for the processes.
    """
    if not await may_migrate(dsn):
        return None, dsn
    await migrate(dsn)
    passwords = {role: home.secret(role) for role in (APP, READER)}
    try:
        await ensure_role_passwords(dsn, passwords)
    except asyncpg.InsufficientPrivilegeError:
        raise InvalidSettingError(
            f"The role in AWDA_DATABASE_URL may not set the password of {APP}. Run `awda db migrate` as the owner, "
            f"set a password for {APP}, and use the role {APP} in AWDA_DATABASE_URL."
        ) from None
    return dsn, as_role(dsn, APP, passwords[APP])


async def may_migrate(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn, timeout=10)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = type(error).__name__
        raise ProcessStartError(
            f"The database in AWDA_DATABASE_URL cannot be reached ({reason}). "
            "Start the server, correct AWDA_DATABASE_URL, or unset it to use the embedded PostgreSQL."
        ) from None
    try:
        query = "SELECT current_user <> $1 AND has_database_privilege(current_database(), 'CREATE')"
        return bool(await connection.fetchval(query, APP))
    finally:
        await connection.close()


async def up(
    settings: Settings, *, processes: Sequence[Command], migrate: Migrate, say: Say = log.info,
    ready: Callable[[Servers], Awaitable[None]] | None = None, stop: asyncio.Event | None = None,
) -> None:  # fmt: skip
    """Starts everything, calls ``ready``, runs until Ctrl-C, SIGTERM or ``stop``, and then stops everything.

    Raises ``AlreadyRunningError``, without any change, if this home is already running; ``UnfitServerError`` if the
    servers are not configured safely; ``InvalidSettingError`` or ``ProcessStartError`` if something is missing or does
    not start.
    """
    home = Home(settings.home).make()
    with home.locked(), stop_on_signals(stop or asyncio.Event()) as stopping:
        await clear_leftovers(home, say)
        installation = Installation(settings, home, say)
        installation.record()
        try:
            await run_until_stopped(bring_up(installation, processes, migrate, ready), stopping)
        finally:
            await installation.close()
            home.record({})


async def bring_up(
    installation: Installation, processes: Sequence[Command], migrate: Migrate,
    ready: Callable[[Servers], Awaitable[None]] | None,
) -> None:  # fmt: skip
    found = await installation.open(processes, migrate)
    if ready:
        await ready(found)
    installation.state["ready"] = True
    installation.record()


async def run_until_stopped(work: Coroutine[Any, Any, None], stopping: asyncio.Event) -> None:
    """Does the work, then waits for ``stopping``. If that is set earlier, the work is cancelled."""
    working, waiting = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
            await waiting
    finally:
        await cancel((working, waiting))


@contextmanager
def stop_on_signals(stopping: asyncio.Event) -> Iterator[asyncio.Event]:
    """Sets ``stopping`` on Ctrl-C, SIGTERM and the end of the terminal. Signals that are ignored stay ignored."""
    loop = asyncio.get_running_loop()
    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    numbers = [number for number in handled if signal.getsignal(number) != signal.SIG_IGN]  # `nohup` ignores SIGHUP
    for number in numbers:
        loop.add_signal_handler(number, stopping.set)
    try:
        yield stopping
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def clear_leftovers(home: Home, say: Say) -> None:
    if left := await end_leftover_processes(home.logs):
        say(f"The last run was not stopped properly. Ended its remaining processes: {', '.join(left)}.")


async def down(home: Home) -> bool:
    """Stops what runs from this home, and what an earlier run left behind. Returns whether anything was running."""
    state = home.state()
    launcher = running_of(state.get("launcher"))
    process = launcher.process if launcher else None
    if launcher and process:
        process.send_signal(signal.SIGTERM)
        await wait_for_exit(launcher)
    with suppress(AlreadyRunningError), home.make().locked():
        left = await end_leftover_processes(home.logs)
        home.record({})
        return bool(process or left)
    return bool(process)


async def wait_for_exit(launcher: Running) -> None:
    """Waits until the launcher has ended, and kills it if that takes too long."""
    until = time.monotonic() + DOWN_LIMIT
    while process := launcher.process:
        if time.monotonic() > until:
            process.kill()
        await asyncio.sleep(0.05)


def running_of(record: Mapping[str, Any] | None) -> Running | None:
    return Running(record["pid"], record["started"]) if record else None


def status(home: Home) -> dict[str, Any]:
    """Returns what runs from this home now. The addresses are ``None`` if nothing runs."""
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


async def launch_apart(argv: Sequence[str], home: Home, timeout_s: float = 300.0) -> dict[str, Any]:
    """Runs ``argv`` (an `awda up`) detached from this terminal, and returns its status once it is ready.

    Raises ``ProcessStartError`` if it ends, or is not ready after ``timeout_s`` seconds.
    """
    log_file = home.make().logs / "up.log"
    pid = spawn_detached(argv, log_file)
    until = time.monotonic() + timeout_s
    while not (home.state().get("ready") and home.state().get("launcher", {}).get("pid") == pid):
        if has_ended(pid) or time.monotonic() > until:
            tail = log_file.read_text(errors="replace").strip()[-LOG_TAIL:]
            raise ProcessStartError(f"Awda did not start. The end of {log_file}: {tail or 'the log is empty'}")
        await asyncio.sleep(0.1)
    return status(home)


def has_ended(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG)[0] == pid


def spawn_detached(argv: Sequence[str], output: Path) -> int:
    """Starts a program in its own session, independent of this process. Returns its pid."""
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
    """Runs real servers, without migrations, for a test or a benchmark. ``throw_away`` deletes the home afterwards."""
    home = Home(root).make()
    with home.locked():
        await clear_leftovers(home, say)
        postgres = Postgres(home, say, postgres_settings)
        engine = Temporal(home, say, headless=headless, extra=temporal_extra)
        services: list[Service] = [*([postgres] if database else []), *([engine] if temporal else [])]
        try:
            await asyncio.gather(*(each.start() for each in services))
            home.record({"processes": [each.server.record for each in services if each.server]})
            yield Servers(
                home, postgres.owner_dsn if database else None, postgres.app_dsn if database else "", engine.address,
                "default", engine.ui_url, postgres if database else None, engine if temporal else None,
            )  # fmt: skip
        finally:
            await stop_all(services)
            home.record({})
            if throw_away:
                await postgres.remove()
                shutil.rmtree(root, ignore_errors=True)
