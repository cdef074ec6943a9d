"""The home of one installation: its folder, its settings, its secrets, and what is running from it."""

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

CLOCK_SLACK = 2.0  # seconds by which a process's start time may seem to move when the wall clock is corrected

KEY_BYTES = 32

State = dict[str, Any]


class InvalidSettingError(Exception):
    """A setting cannot be used as it stands."""


class AlreadyRunningError(Exception):
    """Somebody else holds this home."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says, read once."""

    home: Path
    database_url: str | None = field(default=None, repr=False)
    temporal_address: str | None = None
    temporal_namespace: str = "default"
    host: str = "127.0.0.1"
    port: int = 8600
    master_key: str | None = field(default=None, repr=False)
    loopback_receivers: bool = False
    """Whether messages may go to partners that listen on this machine; for made-up partners only."""
    files: Path | None = None
    """Where files of cases are kept, if that is not the home."""

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Settings:
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
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise InvalidSettingError(
            f"AWDA_PORT={text!r} is not a port. Set it to a number from 1 to 65535, or unset it for 8600."
        )
    return int(text)


@dataclass(frozen=True, slots=True)
class Running:
    """A process told apart from a later one that was given the same number: pid and start (UTC, seconds)."""

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
        """The live process, or None when it has ended, even if its number is in use again."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.started) <= CLOCK_SLACK
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that holds everything an embedded installation keeps."""

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
        """Create what is missing. Nobody else may read any of it."""
        new = not self.root.exists()
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.root.stat().st_uid != os.geteuid():
            raise InvalidSettingError(f"{self.root} belongs to another user. Point AWDA_HOME at a folder of your own.")
        if new or self.root.stat().st_mode & 0o067:
            self.root.chmod(0o700)
        for folder in (self.keys, self.logs, self.temporal, self.files):
            folder.mkdir(mode=0o700, exist_ok=True)
        return self

    def secret(self, name: str) -> str:
        """A password that is made up on first use and kept."""
        return self.kept(f"{name}.password", secrets.token_urlsafe(32))

    def master_key(self, settings: Settings) -> bytes:
        """The 32 bytes that wrap every other key: from the environment, or made once and kept here."""
        if settings.master_key:
            return key_bytes(settings.master_key, "AWDA_MASTER_KEY")
        fresh = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
        return key_bytes(self.kept("master.key", fresh), str(self.keys / "master.key"))

    def kept(self, name: str, fresh: str) -> str:
        """The text of a key file, written with `fresh` if there was none. Of two first callers, one wins for both."""
        path = self.keys / name
        if not path.exists():
            draft = self.keys / f".{name}.{secrets.token_hex(4)}"
            write_private(draft, fresh)
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text().strip()

    def state(self) -> State:
        """What the last start recorded; empty when nothing was or when it cannot be read."""
        try:
            found = json.loads(self.state_file.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def record(self, state: State) -> None:
        draft = self.root / ".state.json.new"
        draft.unlink(missing_ok=True)
        write_private(draft, json.dumps(state, indent=1))
        draft.replace(self.state_file)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the home for one launcher. The hold ends with the process, however it ends."""
        with (self.root / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = self.state().get("launcher", {}).get("pid", "unknown")
                raise AlreadyRunningError(f"Awda is already running from {self.root} (process {pid}).") from None
            yield


def write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def key_bytes(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidSettingError(f"{where} does not hold a key. It must be {KEY_BYTES} random bytes in base64.")
    return key
