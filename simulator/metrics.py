"""What a demonstration is measured by: figures read from the log, and whether cases ended as their scripts say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from statistics import median
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg

from domain.kernel.vocabulary import PUBLIC_CLOSURE, Stage
from simulator.staff import Staff
from simulator.staff_steps import CaseFile

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

A_DAY_S: Final = 86_400


class SimulationStuckError(Exception):
    """Cases are open, and nobody has anything to do for them."""

    def __init__(self, staff: Staff, now: datetime) -> None:
        found = [f"{file.number} waits for {file.view.get('waiting_on') or 'nobody'}" for file in staff.open_files]
        refused = [f"{one.number} {one.message} ({one.rule})" for one in staff.mishaps]
        why = f"; refused: {', '.join(refused[:5])}" if refused else ""
        super().__init__(f"{len(found)} cases go no further on {now:%d %B %Y}: {'; '.join(found[:5])}{why}")


async def figures(pool: Pool) -> dict[str, Any]:
    """The figures of ``awda demo run --json``, but for the time it took and the verification."""
    counted: Any = await pool.fetchrow(_COUNTS)
    found = dict(counted)
    return {
        **found,
        "not_returned": found["closed"] - await pool.fetchval(_CLOSED_AFTER_LEAVING),
        "stages": await _stages(pool),
    }


async def _stages(pool: Pool) -> dict[str, dict[str, Any]]:
    """Of each stage: how many cases completed it, and in how many days at the median."""
    opened: dict[tuple[UUID, str], datetime] = {}
    days: dict[str, dict[UUID, float]] = defaultdict(dict)
    for stream, topic, stage, happened_at in await pool.fetch(_STAGES):
        if topic == "StageOpened":
            opened.setdefault((stream, stage), happened_at)
        elif begun := opened.get((stream, stage)):
            days[stage][stream] = (happened_at - begun).total_seconds() / A_DAY_S
    return {
        stage.value: {"completed": len(days[stage]), "median_days": _median(days[stage].values())} for stage in Stage
    }


def _median(days: Iterable[float]) -> float | None:
    known = list(days)
    return round(median(known), 1) if known else None


async def not_as_scripted(pool: Pool, files: Iterable[CaseFile]) -> list[str]:
    """Cases that ended otherwise than their scripts say: empty, or something is wrong."""
    ends = {row["number"]: dict(row) for row in await pool.fetch(_ENDS)}
    found = ((file, _difference(file, ends.get(file.number))) for file in files)
    return [f"{file.number} {difference}" for file, difference in found if difference]


def _difference(file: CaseFile, end: Mapping[str, Any] | None) -> str | None:
    wanted = PUBLIC_CLOSURE[file.script.reason]
    if end is None or end["closure"] is None:
        return f"is still open; its script closes it as {wanted}"
    if end["closure"] != wanted:
        return f"closed as {end['closure']}; its script says {wanted}"
    if end["departed"] != file.script.travels:
        return "left although its script says it does not" if end["departed"] else "never left; its script says it does"
    return None


_COUNTS = """
SELECT (SELECT count(*) FROM streams WHERE kind = 'case') AS cases,
       count(DISTINCT stream_id) FILTER (WHERE topic = 'CaseClosed') AS closed,
       count(DISTINCT stream_id) FILTER (WHERE topic = 'FlightDeparted') AS departed,
       count(DISTINCT stream_id) FILTER (WHERE topic = 'ReceptionCompleted') AS received,
       count(DISTINCT stream_id) FILTER (WHERE topic = 'ReintegrationCompleted') AS reintegrated,
       count(*) AS events,
       (SELECT count(*) FROM inbox) AS messages,
       (SELECT count(*) FROM inbox WHERE kind = 'signal') AS partner_signals
FROM events
"""

_CLOSED_AFTER_LEAVING = """
SELECT count(DISTINCT stream_id) FROM events e WHERE topic = 'CaseClosed'
AND EXISTS (SELECT FROM events d WHERE d.stream_id = e.stream_id AND d.topic = 'FlightDeparted')
"""

_STAGES = """
SELECT stream_id, topic, state->>'stage', (metadata->>'happened_at')::timestamptz
FROM readable_events WHERE topic IN ('StageOpened', 'StageCompleted') ORDER BY stream_id, version
"""

_ENDS = """
SELECT s.number, max(e.state->>'public_reason') AS closure, bool_or(e.topic = 'FlightDeparted') AS departed
FROM streams s JOIN readable_events e USING (stream_id) WHERE e.topic IN ('CaseClosed', 'FlightDeparted')
GROUP BY s.number
"""
