"""The single SQL statement that writes a changeset, composed of the parts that the changeset needs.

The head row is updated by compare-and-set, and all other parts depend on it: if it does not match, no row is written.
If a checked part finds fewer rows than it was given, ``stale()`` raises AW001, which rolls back the whole statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from store.log.rows import Changeset

HEAD: Final = """
head AS (
    UPDATE streams SET revision = revision + 1, version = version + $7, hash = $8, next_due = $5, open = $6
    WHERE stream_id = $1 AND revision = $2 AND version = $3 AND hash = $4{locked}
    RETURNING awda_now() AS at)"""

HEAD_COLUMNS: Final = 8

LOCKED: Final = " AND (SELECT count(*) FROM locked) > 0"


@dataclass(frozen=True)
class StatementPart:
    """One kind of rows that a changeset writes. ``columns``: the fields of its items, with their SQL types."""

    name: str
    columns: tuple[tuple[str, str], ...]
    sql: str
    before: str = ""
    """A common table expression that must precede the update of the head."""
    checked: bool = False
    """Whether the part must affect exactly as many rows as it was given."""
    single: bool = False
    """Whether the part is written as plain values, which is cheaper than arrays."""


EVENT: Final = (("topic", "text"), ("state", "bytea"), ("event_id", "uuid"), ("metadata", "text"))

APPEND: Final = "INSERT INTO events (stream_id, version, topic, state, event_id, metadata, hash, recorded_at)"

PARTS: Final = (
    StatementPart(
        "heads",
        (("stream_id", "uuid"), ("revision", "bigint")),
        """UPDATE streams s SET revision = s.revision + 1 FROM head, {rows}
        WHERE s.stream_id = x.stream_id AND s.revision = x.revision RETURNING 1""",
        before="""
locked AS MATERIALIZED (
    SELECT FROM streams WHERE stream_id = $1 OR stream_id = ANY ({first}) ORDER BY stream_id FOR UPDATE),""",
        checked=True,
    ),
    StatementPart(
        "idle",
        (("stream_id", "uuid"),),
        """SELECT 1 FROM head, {rows}
        WHERE NOT EXISTS (SELECT FROM inbox i WHERE i.stream_id = x.stream_id AND i.status = 'pending')""",
        checked=True,
    ),
    StatementPart(
        "settled",
        (("message_id", "uuid"), ("status", "text"), ("result", "text"), ("version", "bigint")),
        """UPDATE inbox i SET status = x.status, result = x.result, settled_version = x.version,
            settled_at = head.at
        FROM head, {rows}
        WHERE i.message_id = x.message_id AND i.stream_id = $1 AND i.status = 'pending' RETURNING 1""",
        checked=True,
    ),
    StatementPart("event", EVENT, APPEND + " SELECT $1, $3 + 1, {values}, $8, head.at FROM head", single=True),
    StatementPart(
        "events",
        (*EVENT, ("hash", "bytea")),
        APPEND
        + """
        SELECT $1, $3 + x.nth, x.topic, x.state, x.event_id, x.metadata, x.hash, head.at
        FROM head, {rows} ORDER BY x.nth""",
    ),
    StatementPart(
        "outbox",
        (
            *(("outbox_id", "uuid"), ("partner_id", "text"), ("referral_id", "text"), ("name", "text")),
            *(("body", "bytea"), ("status", "text")),
        ),
        """INSERT INTO outbox
            (outbox_id, stream_id, partner_id, referral_id, name, body, status, created_at, settled_at)
        SELECT x.outbox_id, $1, x.partner_id, x.referral_id, x.name, x.body, x.status, head.at,
               CASE WHEN x.status <> 'pending' THEN head.at END
        FROM head, {rows} ORDER BY x.nth""",
    ),
    StatementPart(
        "withdrawn",
        (("referral_ids", "text"), ("except_names", "text"), ("handed_over", "text")),
        """UPDATE outbox o SET status = 'withdrawn', settled_at = head.at FROM head
        WHERE o.stream_id = $1 AND o.status IN ('pending', 'by_hand')
          AND o.referral_id = ANY ({first}) AND o.name <> ALL ({second})
          AND NOT (o.status = 'by_hand' AND o.referral_id = ANY ({last}))""",
    ),
    StatementPart(
        "handed_over",
        (("referral_ids", "text"),),
        """UPDATE outbox o SET status = 'delivered', settled_at = head.at,
            begun_at = coalesce(o.begun_at, clock_timestamp())
        FROM head WHERE o.stream_id = $1 AND o.status = 'by_hand' AND o.referral_id = ANY ({first})""",
    ),
    StatementPart(
        "letters",
        (
            *(("message_id", "uuid"), ("stream_id", "uuid"), ("kind", "text"), ("name", "text")),
            *(("body", "bytea"), ("body_hash", "bytea")),
            *(("actor", "text"), ("source", "text"), ("claimed_at", "timestamptz")),
        ),
        """INSERT INTO inbox (message_id, stream_id, kind, name, body, body_hash, actor, source, claimed_at,
                           received_at, receipt)
        SELECT x.message_id, x.stream_id, x.kind, x.name, x.body, x.body_hash, x.actor, x.source, x.claimed_at,
               head.at, x.message_id::text
        FROM head, {rows} ON CONFLICT (message_id) DO NOTHING""",
    ),
    StatementPart(
        "tokens",
        (("token", "text"), ("referral_id", "text"), ("partner_id", "text")),
        """INSERT INTO referral_tokens (token, stream_id, referral_id, partner_id)
        SELECT x.token, $1, x.referral_id, x.partner_id FROM head, {rows}""",
    ),
)


def statement_of(changeset: Changeset, hashes: Sequence[bytes]) -> tuple[str, list[Any]]:
    """Returns the SQL that writes a changeset, and its arguments.

    The statement returns the time of recording (UTC), or no row if the revision is stale.
    """
    filled = [(part, items) for part in PARTS if (items := _items(part, changeset))]
    arguments: list[Any] = [changeset.stream_id, changeset.revision, changeset.first_version - 1, changeset.prev_hash]
    arguments += (changeset.next_due, changeset.open, len(hashes), hashes[-1] if hashes else changeset.prev_hash)
    for part, items in filled:
        arguments += _arguments(part, changeset, items, hashes)
    return _statement(tuple([part.name for part, _ in filled])), arguments


def _items(part: StatementPart, changeset: Changeset) -> Sequence[Any]:
    """Returns the items of the changeset for a part. A single event has a part of its own, which is cheaper."""
    if part.name in ("event", "events"):
        return changeset.events if (len(changeset.events) == 1) is part.single else ()
    found: Sequence[Any] = getattr(changeset, part.name)
    return found


def _arguments(
    part: StatementPart, changeset: Changeset, items: Sequence[Any], hashes: Sequence[bytes]
) -> Iterator[Any]:
    if part.name == "heads":
        yield from (list(column) for column in zip(*items, strict=True))
    elif part.name == "idle":
        yield list(items)
    elif part.name == "withdrawn":
        yield from (list(items), list(changeset.endings), list(changeset.handed_over))
    elif part.name == "handed_over":
        yield list(items)
    elif part.single:
        yield from (getattr(items[0], name) for name, _ in part.columns)
    else:
        for name, _ in part.columns:
            yield list(hashes) if name == "hash" else [_value(part, changeset, item, name) for item in items]


def _value(part: StatementPart, changeset: Changeset, item: Any, name: str) -> Any:
    if part.name == "outbox" and name == "status":
        ends = item.referral_id in changeset.withdrawn and item.name not in changeset.endings
        return "withdrawn" if ends else "pending"  # the same changeset may end the referral
    return getattr(item, name)


@cache
def _statement(present: tuple[str, ...]) -> str:
    before, after, checks, at = "", "", ["true"], HEAD_COLUMNS + 1
    for part in PARTS:
        if part.name not in present:
            continue
        given = _given(part, at)
        before += part.before.format(**given)
        after += f",\n{part.name} AS (\n        {part.sql.format(**given)})"
        if part.checked:
            checks.append(f"(SELECT count(*) FROM {part.name}) = cardinality(${at}::uuid[])")
        at += len(part.columns)
    head = HEAD.format(locked=LOCKED if before else "")
    answer = f"SELECT CASE WHEN {' AND '.join(checks)} THEN head.at ELSE stale($1) END FROM head"
    return f"WITH {before}{head}{after}\n{answer}"


def _given(part: StatementPart, at: int) -> dict[str, str]:
    """Returns what the SQL of a part may refer to: its rows as ``x``, single values, and first, second, last array."""
    arrays = [f"${at + n}::{type_}[]" for n, (_, type_) in enumerate(part.columns)]
    names = ", ".join(name for name, _ in part.columns)
    return {
        "rows": f"unnest({', '.join(arrays)}) WITH ORDINALITY AS x ({names}, nth)",
        "values": ", ".join(f"${at + n}::{type_}" for n, (_, type_) in enumerate(part.columns)),
        "first": arrays[0],
        "second": arrays[min(1, len(arrays) - 1)],
        "last": arrays[-1],
    }
