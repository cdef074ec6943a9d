"""Whether the read tables say what the log says: each stream folded anew, up to where its table has come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from audit.verification.report import Finding
from audit.verification.snapshot import Snapshot
from store.log.feed import Position
from store.projections.projection import Projection, Row
from store.projections.projector import PROJECTIONS, fold


def check_projections(stream: Snapshot) -> Iterator[Finding]:
    """Every row of the read tables that differs from a fresh fold of its stream."""
    for name, view in PROJECTIONS.items():
        wanted, shown = _wanted(stream, view), view.read(stream.shown[name])
        for key in {**wanted, **shown}:
            if problem := _differs(view, wanted.get(key), shown.get(key)):
                yield Finding("read-table", stream.head.number, f"{name}: {problem}")


def _wanted(stream: Snapshot, view: Projection) -> dict[Any, Row]:
    reached = stream.positions[view.name]
    seen = [event for event in stream.events if Position(int(event["at_xact"]), event["position"]) <= reached]
    rows: dict[Any, Row] = {}
    fold(view, rows, seen, [])
    return rows


def _differs(view: Projection, wanted: Row | None, shown: Row | None) -> str | None:
    if wanted is None or shown is None:
        return "a row is missing" if shown is None else "a row has no case behind it"
    columns = [column for column in view.columns if wanted.get(column) != shown.get(column)]
    return f"{', '.join(columns)} differ from the log at version {wanted['version']}" if columns else None
