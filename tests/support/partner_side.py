"""The examples of ``docs/partners``, run as a partner would run them, in separate processes.

``-I -S`` restricts Python to its standard library.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PAGES: Final = Path(__file__).resolve().parents[2] / "docs" / "partners"

BARE: Final = (sys.executable, "-I", "-S")

SHELL: Final = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)

PATH: Final = {"PATH": os.environ["PATH"]}


def scripts(page: str = "README.md") -> list[str]:
    """Returns the shell scripts of a page, unchanged."""
    return SHELL.findall((PAGES / page).read_text(encoding="utf-8"))


def script_with(words: str) -> str:
    """Returns the only script of the first page that contains these words."""
    (found,) = [script for script in scripts() if words in script]
    return found


@dataclass(frozen=True)
class RunningReceiver:
    """A running receiver, with the file in which it stores what it receives."""

    url: str
    file: Path

    @property
    def kept(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines()]


@contextmanager
def a_receiver(secret: str, file: Path, port: int = 0) -> Iterator[RunningReceiver]:
    """Runs ``receiver.py`` with a secret until the end of the block."""
    command = (*BARE, str(PAGES / "receiver.py"), str(port), str(file))
    with subprocess.Popen(
        command, env={"AWDA_SECRET": secret}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            yield RunningReceiver(f"http://127.0.0.1:{line.split()[-1]}/awda", file)
        finally:
            process.kill()
