"""The figures of a demonstration, read from the log, and the check that cases ended as their scripts say."""

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
    """Cases are open, but neither staff nor partners have anything scheduled for them."""

    def __init__(self, staff: Staff, now: datetime) -> None:
        found = [f"{file.number} waits for {file.view.get('waiting_on') or 'nothing'}" for file in staff.open_files]
        refused = [f"{one.number} {one.message} ({one.rule})" for one in staff.rejections]
        why = f"; refused messages: {', '.join(refused[:5])}" if refused else ""
        super().__init__(f"{len(found)} cases make no progress on {now:%d %B %Y}: {'; '.join(found[:5])}{why}")


async def figures(pool: Pool) -> dict[str, Any]:
    """Returns the figures of ``awda demo run --json``, without its duration and the verification."""
    counted: Any = await pool.fetchrow(_COUNTS)
    found = dict(counted)
    return {
        **found,
        "not_returned": found["closed"] - await pool.fetchval(_CLOSED_AFTER_LEAVING),
        "stages": await _stages(pool),
    }


async def _stages(pool: Pool) -> dict[str, dict[str, Any]]:
    """Returns for each stage how many cases completed it, and the median duration (days)."""
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
    """Returns a sentence for each case that did not end as its script says."""
    ends = {row["number"]: dict(row) for row in await pool.fetch(_ENDS)}
    found = ((file, _difference(file, ends.get(file.number))) for file in files)
    return [f"{file.number} {difference}" for file, difference in found if difference]


def _difference(file: CaseFile, end: Mapping[str, Any] | None) -> str | None:
    expected = PUBLIC_CLOSURE[file.script.reason]
    if end is None or end["closure"] is None:
        return f"is still open; its script closes it as {expected}"
    if end["closure"] != expected:
        return f"closed as {end['closure']}; its script says {expected}"
    if end["departed"] == file.script.travels:
        return None
    return "departed, contrary to its script" if end["departed"] else "did not depart, contrary to its script"


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
