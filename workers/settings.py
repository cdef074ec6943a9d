"""The settings of an installation and its home folder: secrets, logs, and the record of running processes."""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

CLOCK_TOLERANCE = 2.0  # seconds by which a process's start time may appear to change when the wall clock is corrected

KEY_BYTES = 32

State = dict[str, Any]


class InvalidSettingError(Exception):
    """A setting is missing or has a value that cannot be used."""


class AlreadyRunningError(Exception):
    """Another launcher is running from this home."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, read from the environment once."""

    home: Path
    database_url: str | None = field(default=None, repr=False)
    temporal_address: str | None = None
    temporal_namespace: str = "default"
    host: str = "127.0.0.1"
    port: int = 8600
    master_key: str | None = field(default=None, repr=False)
    loopback_receivers: bool = False
    """Whether messages may be sent to receivers on this machine; for simulated partners only."""
    files: Path | None = None
    """The folder for files of cases; ``files`` in the home unless set."""

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Reads the ``AWDA_*`` variables. Raises ``InvalidSettingError`` for an invalid port."""
        return cls(
            home=Path(environ.get("AWDA_HOME") or ".awda").expanduser().absolute(),
            database_url=environ.get("AWDA_DATABASE_URL") or None,
            temporal_address=environ.get("AWDA_TEMPORAL_ADDRESS") or None,
            temporal_namespace=environ.get("AWDA_TEMPORAL_NAMESPACE") or "default",
            host=environ.get("AWDA_HOST") or "127.0.0.1",
            port=port_number(environ.get("AWDA_PORT") or "8600"),
            master_key=environ.get("AWDA_MASTER_KEY") or None,
            loopback_receivers=environ.get("AWDA_LOOPBACK_RECEIVERS") == "1",
            files=Path(environ["AWDA_FILES"]).absolute() if environ.get("AWDA_FILES") else None,
        )


def port_number(text: str) -> int:
    """Parses ``AWDA_PORT``. Raises ``InvalidSettingError`` if it is not a number from 1 to 65535."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise InvalidSettingError(
            f"AWDA_PORT must be a port number from 1 to 65535 (it is {text!r}). Correct it, or unset it to use 8600."
        )
    return int(text)


@dataclass(frozen=True, slots=True)
class Running:
    """A process, identified by its pid and start time (UTC, seconds), because the system reuses pids."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Running | None:
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    @property
    def process(self) -> psutil.Process | None:
        """The running process, or ``None`` if it has ended, even if its pid is in use again."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.started) <= CLOCK_TOLERANCE
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


@dataclass(frozen=True, slots=True)
class Home:
    """The folder with all the data of an embedded installation."""

    root: Path

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def temporal(self) -> Path:
        return self.root / "temporal"

    @property
    def files(self) -> Path:
        return self.root / "files"

    @property
    def state_file(self) -> Path:
        return self.root / "state.json"

    def make(self) -> Home:
        """Creates the folders that are missing, and makes them private to this user.

        Raises ``InvalidSettingError`` if the home belongs to another user.
        """
        new = not self.root.exists()
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.root.stat().st_uid != os.geteuid():
            raise InvalidSettingError(f"{self.root} belongs to another user. Set AWDA_HOME to a folder that you own.")
        if new or self.root.stat().st_mode & 0o067:
            self.root.chmod(0o700)
        for folder in (self.keys, self.logs, self.temporal, self.files):
            folder.mkdir(mode=0o700, exist_ok=True)
        return self

    def secret(self, name: str) -> str:
        """Returns a password, which is generated on first use and stored."""
        return self.kept(f"{name}.password", secrets.token_urlsafe(32))

    def master_key(self, settings: Settings) -> bytes:
        """Returns the 32 bytes that wrap every other key: from the environment, or generated once and stored here."""
        if settings.master_key:
            return key_bytes(settings.master_key, "AWDA_MASTER_KEY")
        generated = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
        return key_bytes(self.kept("master.key", generated), str(self.keys / "master.key"))

    def kept(self, name: str, default: str) -> str:
        """Returns the text of a key file, which is created with ``default`` if it does not exist.

        Creation is atomic: of two concurrent first callers, both get the text of one.
        """
        path = self.keys / name
        if not path.exists():
            draft = self.keys / f".{name}.{secrets.token_hex(4)}"
            write_private(draft, default)
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text().strip()

    def state(self) -> State:
        """Returns what the last start recorded; empty if nothing was recorded or the file cannot be read."""
        try:
            found = json.loads(self.state_file.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def record(self, state: State) -> None:
        """Replaces the state file."""
        draft = self.root / ".state.json.new"
        draft.unlink(missing_ok=True)
        write_private(draft, json.dumps(state, indent=1))
        draft.replace(self.state_file)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the home for one launcher. The lock ends with the process, also after `kill -9`.

        Raises ``AlreadyRunningError`` if another launcher has the lock.
        """
        with (self.root / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = self.state().get("launcher", {}).get("pid", "unknown")
                raise AlreadyRunningError(
                    f"Awda is already running from {self.root} (process {pid}). Stop it with `awda down`."
                ) from None
            yield


def write_private(path: Path, text: str) -> None:
    """Writes a new file that only its owner may read, and flushes it to disk."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def key_bytes(text: str, where: str) -> bytes:
    """Decodes a master key. Raises ``InvalidSettingError``, which names ``where`` it was read and never the key."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidSettingError(f"{where} is not a valid key. It must be {KEY_BYTES} random bytes in base64.")
    return key
