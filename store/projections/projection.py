"""The definition of a projection: its columns, and for each topic a function that changes a row. No pydantic, no keys.

Rows are dictionaries built from the unencrypted part of the events, many events at a time, and written once per page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import asyncpg
from pydantic_core import from_json

Row: TypeAlias = dict[str, Any]

State: TypeAlias = dict[str, Any]
"""The unencrypted state of an event, as stored."""

Change: TypeAlias = "Callable[[Row, State, asyncpg.Record], None]"
"""Changes a row by an event of one topic. The record holds the envelope: metadata, version, recorded_at."""

LIVE: Final = "public"

SHADOW: Final = "shadow"

_CAST: Final = {"jsonb": "text", "text[]": "text", "uuid[]": "text"}

_LITERALS: Final[Mapping[str, Callable[[Any], str]]] = {
    "jsonb": json.dumps,
    "text[]": lambda words: "{" + ",".join(words) + "}",  # enumerations and ids need no quoting
    "uuid[]": lambda ids: "{" + ",".join(ids) + "}",
}


@dataclass(frozen=True)
class Projection:
    """A projection. ``begins``: the topic that creates a row; ``every``: whether a topic updates the row's version."""

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, str]
    begins: str
    changes: Mapping[str, Change]
    every: Callable[[str], bool] = lambda _topic: False
    names: Callable[[State, asyncpg.Record], tuple[Any, ...]] = lambda _state, record: (record["stream_id"],)
    """Returns the key of the row that an event belongs to."""
    encoded: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoded", {name: kind for name, kind in self.columns.items() if kind in _CAST})

    def concerns(self, topic: str) -> bool:
        """Returns whether an event of this topic may change a row."""
        return topic in self.changes or self.every(topic)

    def fold(self, rows: dict[Any, Row], record: asyncpg.Record) -> Any:
        """Applies one event to the rows. Returns the key of the changed row, or ``None``. Invalid state raises."""
        topic = record["topic"]
        change = self.changes.get(topic)
        if change is None and not self.every(topic):
            return None
        state = from_json(record["state"]) if change else {}
        key = self.names(state, record) if change else (record["stream_id"],)
        row = rows.get(key)
        if row is None and topic == self.begins:
            row = dict(zip(self.key, key, strict=True))
        if row is None:
            return None
        if change:
            change(row, state, record)
        row["version"], row["updated_at"] = record["version"], record["recorded_at"]
        rows[key] = row
        return key

    # Reading and writing the table

    def read(self, found: Iterable[asyncpg.Record]) -> dict[Any, Row]:
        """Returns stored rows as dictionaries, by key."""
        rows = {}
        for record in found:
            row = dict(record)
            for name, kind in self.encoded.items():
                row[name] = from_json(row[name]) if kind == "jsonb" else [str(each) for each in row[name]]
            rows[tuple(row[name] for name in self.key)] = row
        return rows

    def arrays(self, rows: Sequence[Row]) -> list[list[Any]]:
        """Returns one array per column, for ``upsert``."""
        return [self._array(name, kind, rows) for name, kind in self.columns.items()]

    def _array(self, name: str, kind: str, rows: Sequence[Row]) -> list[Any]:
        literal = _LITERALS.get(kind)
        return [row.get(name) for row in rows] if literal is None else [literal(row[name]) for row in rows]

    def select(self, schema: str) -> str:
        """Returns the SQL that reads the rows of some streams ($1)."""
        return f"SELECT {', '.join(self.columns)} FROM {schema}.{self.name} WHERE stream_id = ANY ($1)"  # noqa: S608 (our own names)

    def upsert(self, schema: str) -> str:
        """Returns the SQL that writes many rows in one statement."""
        kinds = enumerate(self.columns.values(), 1)
        arrays = ", ".join(f"${nth}::{_CAST.get(kind, kind)}[]" for nth, kind in kinds)
        picked = ", ".join(f"{name}::{kind}" if kind in _CAST else name for name, kind in self.columns.items())
        changed = ", ".join(f"{name} = excluded.{name}" for name in self.columns if name not in self.key)
        names = ", ".join(self.columns)
        return (
            f"INSERT INTO {schema}.{self.name} ({names}) SELECT {picked} FROM unnest({arrays}) AS folded ({names})"  # noqa: S608 (our own names)
            f" ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {changed}"
        )
