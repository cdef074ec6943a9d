"""Lets a test that depends on the speed of the machine run alone, when pytest runs tests in parallel.

Ordinary tests share a lock; a test marked `exclusive` takes the lock alone. Both pass a gate first, and a test that
waits for the lock keeps the gate closed, so an exclusive test starts as soon as the tests that already run have ended.
The operating system releases both locks when a process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

RUN: Final = os.environ.get("PYTEST_XDIST_TESTRUNUID", "")
"""One id for all parallel workers of a run; empty when tests run one after the other."""


class TurnTaking:
    """The two locks of one run, in files that all its workers open."""

    def __init__(self, folder: Path, run: str) -> None:
        self.gate = _opened(folder / f"awda-tests-{run}.gate")
        self.turn = _opened(folder / f"awda-tests-{run}.turn")

    @contextmanager
    def hold(self, *, exclusive: bool) -> Iterator[None]:
        with _locked(self.gate, fcntl.LOCK_EX):
            fcntl.flock(self.turn, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.flock(self.turn, fcntl.LOCK_UN)

    def is_free(self, *, exclusive: bool) -> bool:
        """Returns whether ``hold`` would not have to wait."""
        try:
            fcntl.flock(self.turn, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(self.turn, fcntl.LOCK_UN)
        return True

    def close(self) -> None:
        """Deletes the files; a worker that still has them open keeps its locks."""
        for file in (self.gate, self.turn):
            file.close()
            Path(file.name).unlink(missing_ok=True)


def of_this_run() -> TurnTaking | None:
    return TurnTaking(Path(tempfile.gettempdir()), RUN) if RUN else None


def _opened(path: Path) -> IO[bytes]:
    return path.open("ab")


@contextmanager
def _locked(file: IO[bytes], how: int) -> Iterator[None]:
    fcntl.flock(file, how)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
