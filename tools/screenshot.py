"""Writes the picture in the README: what ``awda`` prints about made-up cases, as a drawing of a terminal (SVG).

Run ``python -m tools.screenshot`` after a change to what the command prints, and commit ``docs/images/terminal.svg``.
It needs about two minutes: it carries made-up cases through the procedure in a temporary home with real servers.
The SVG names no remote font and no other host, so it displays without a network.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

ROOT: Final = Path(__file__).resolve().parents[1]

PICTURE: Final = ROOT / "docs" / "images" / "terminal.svg"

AWDA: Final = ROOT / ".venv" / "bin" / "awda"

COLUMNS: Final = 128

CASE: Final = "LBY-2026-000001"

SCENES: Final[tuple[tuple[tuple[str, ...], tuple[slice, ...]], ...]] = (
    (("case", "list"), (slice(0, 7),)),
    (("case", "history", CASE), (slice(0, 2), slice(24, 46))),
)
"""Each command of the picture, and which rows of its table to show, counted from the heading."""

REMOTE: Final = re.compile(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", re.DOTALL)
"""What rich adds that names other hosts: fonts to download, and its own address."""


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "AWDA_HOME": home, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
        subprocess.run([AWDA, "demo", "run", "--cases", "6", "--seed", "1"], env=environment, check=True)
        subprocess.run([AWDA, "up", "--empty", "--detach"], env=environment, check=True)
        try:
            printed = [(arguments, _selected(_printed(arguments, environment), parts)) for arguments, parts in SCENES]
        finally:
            subprocess.run([AWDA, "down"], env=environment, check=True)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawn(printed), encoding="utf-8")
    return 0


def drawn(printed: list[tuple[tuple[str, ...], list[str]]]) -> str:
    """Returns the SVG of a terminal in which these commands printed these lines."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor")
        for arguments, lines in printed:
            console.print(Text(f"$ awda {' '.join(arguments)}", style="bold green"))
            for line in lines:
                console.print(Text.from_ansi(line), no_wrap=True, overflow="ellipsis", crop=True)
            console.print()
        svg = console.export_svg(title="Awda", unique_id="awda")
    return REMOTE.sub("", svg).replace("Fira Code, monospace", "monospace")


def _selected(lines: list[str], parts: tuple[slice, ...]) -> list[str]:
    """Returns these parts of a table, with a mark where rows are left out. A row may take several lines."""
    rows: list[list[str]] = []
    for line in lines:
        if rows and not line[:1].strip():
            rows[-1].append(line)
        else:
            rows.append([line])
    first, *others = ([line for row in rows[part] for line in row] for part in parts)
    shown = [*first, *(line for part in others for line in ("…", *part))]
    return [*shown, "…"] if parts[-1].stop < len(rows) else shown


def _printed(arguments: tuple[str, ...], environment: dict[str, str]) -> list[str]:
    """Returns the lines that the command prints on a terminal (not into a pipe, where it prints tabs)."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([AWDA, *arguments], env=environment, stdout=theirs, stderr=subprocess.DEVNULL) as running:
        os.close(theirs)
        output = b""
        while chunk := _read(ours):
            output += chunk
        os.close(ours)
        if running.wait() != 0:
            raise SystemExit(f"awda {' '.join(arguments)} ended with exit code {running.returncode}")
    return output.decode().replace("\r\n", "\n").splitlines()


def _read(ours: int) -> bytes:
    try:
        return os.read(ours, 65536)
    except OSError:  # Linux reports the end of a pseudo-terminal as an error
        return b""


if __name__ == "__main__":
    sys.exit(main())
