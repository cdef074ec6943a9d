"""Runs ``receiver.py`` as a separate process beside a test, and reads its notes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECEIVER = Path(__file__).with_name("receiver.py")


@dataclass(frozen=True)
class ReceiverProcess:
    """A receiver that runs as a separate process."""

    port: int
    file: Path

    def url(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.port}/{behaviour}"

    def notes(self, what: str = "") -> list[dict[str, Any]]:
        """Returns what happened to the receiver, oldest first."""
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return [note for note in map(json.loads, lines) if not what or note["what"] == what]

    @property
    def asked(self) -> list[dict[str, Any]]:
        return self.notes("asked")

    async def noted(self, what: str, times: int = 1, seconds: float = 60) -> list[dict[str, Any]]:
        """Waits until something has happened ``times`` times."""
        async with asyncio.timeout(seconds):
            while len(found := self.notes(what)) < times:
                await asyncio.sleep(0.02)
        return found


@asynccontextmanager
async def a_receiver_process(folder: Path) -> AsyncIterator[ReceiverProcess]:
    notes = folder / "notes.jsonl"
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(RECEIVER), str(notes), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    try:
        yield ReceiverProcess(port, notes)
    finally:
        process.kill()
        await process.wait()
