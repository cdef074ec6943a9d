"""Checks the read tables against the log: each stream is projected again, up to the position of its table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from audit.verification.report import Finding
from audit.verification.snapshot import Snapshot
from store.log.feed import Position
from store.projections.projection import Projection, Row
from store.projections.projector import PROJECTIONS, fold


def check_projections(stream: Snapshot) -> Iterator[Finding]:
    """Yields every row of the read tables that differs from the projection of its stream."""
    for name, projection in PROJECTIONS.items():
        expected, stored = _expected(stream, projection), projection.read(stream.shown[name])
        for key in {**expected, **stored}:
            if problem := _difference(projection, expected.get(key), stored.get(key)):
                yield Finding("read-table", stream.head.number, f"{name}: {problem}")


def _expected(stream: Snapshot, projection: Projection) -> dict[Any, Row]:
    reached = stream.positions[projection.name]
    seen = [event for event in stream.events if Position(int(event["at_xact"]), event["position"]) <= reached]
    rows: dict[Any, Row] = {}
    fold(projection, rows, seen, [])
    return rows


def _difference(projection: Projection, expected: Row | None, stored: Row | None) -> str | None:
    if expected is None or stored is None:
        return "a row is missing" if stored is None else "the log has no stream for a row"
    columns = [column for column in projection.columns if expected.get(column) != stored.get(column)]
    if not columns:
        return None
    verb = "does" if len(columns) == 1 else "do"
    return f"{', '.join(columns)} {verb} not match the log at version {expected['version']}"
