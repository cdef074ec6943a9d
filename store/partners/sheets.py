"""Sheets: which were issued, which referral each row stands for, and which lines were collected."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from domain.kernel.vocabulary import TERMINAL, ReferralKind
from domain.referral.sheets import ALPHABET, CODE_LENGTH, SheetKind, row_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    import asyncpg

    from store.crypto.keys import MasterKey

    Pool = asyncpg.Pool[asyncpg.Record]

SHEETS: Final = uuid5(NAMESPACE_URL, "awda:sheet")


@dataclass(frozen=True, slots=True)
class IssuedSheet:
    """A sheet that was issued. ``issued_at`` is by the programme clock (UTC)."""

    sheet_id: UUID
    kind: SheetKind
    partner_id: str
    movement: str | None
    issued_by: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class AwaitedReferral:
    """A referral that a partner may still answer, according to the projection."""

    stream_id: UUID
    referral_id: UUID


@dataclass(frozen=True, slots=True)
class RowTarget:
    """The referral that a row code stands for."""

    row_code: str
    sheet_id: UUID
    stream_id: UUID
    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    token: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class LineOutcome:
    """The status and result of the message of a line."""

    status: str
    result: Mapping[str, Any]


def sheet_id_of(partner_id: str, kind: SheetKind, movement: str | None, day: date) -> UUID:
    """Returns the id of a sheet. Requesting the same sheet again on the same day gives the same id."""
    return uuid5(SHEETS, f"{partner_id}|{kind}|{movement or ''}|{day.isoformat()}")


def line_id_of(master: MasterKey, placed: RowTarget, part: str, content: Mapping[str, Any]) -> UUID:
    """Returns the id of a line: equal for equal content in the same row, and useless for guessing the content."""
    words = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str).encode()
    digest = master.fingerprint(b"sheet line", placed.row_code.encode(), part.encode(), words)
    return uuid5(placed.sheet_id, digest.hex())


def unknown_line_id(master: MasterKey, partner_id: str, code: str, content: Mapping[str, Any]) -> UUID:
    """Returns the id of a line whose row code is unknown."""
    words = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str).encode()
    return uuid5(SHEETS, master.fingerprint(b"strange line", partner_id.encode(), code.encode(), words).hex())


# Issuing


async def awaiting(pool: Pool, partner_id: str) -> list[AwaitedReferral]:
    """Returns referrals without a final answer. Extra rows are harmless, because the caller checks the log."""
    rows = await pool.fetch(_AWAITING, partner_id, sorted(TERMINAL))
    return [AwaitedReferral(row["stream_id"], UUID(row["referral_id"])) for row in rows]


async def issue(
    pool: Pool,
    partner_id: str,
    kind: SheetKind,
    *,
    movement: str | None,
    user: str,
    day: date,
    order_id: UUID | None = None,
) -> IssuedSheet:
    """Issues the sheet of a day if it was not issued yet, and returns it; a repeated order gets its first sheet."""
    sheet_id = sheet_id_of(partner_id, kind, movement, day)
    await pool.execute(_ISSUE, sheet_id, kind, partner_id, movement, user)
    if order_id is not None:
        await pool.execute(_ORDER, order_id, sheet_id)
    found = await (ordered(pool, order_id) if order_id else sheet(pool, sheet_id))
    if found is None:
        raise LookupError(f"Sheet {sheet_id} was issued but cannot be found")
    return found


async def ordered(pool: Pool, order_id: UUID) -> IssuedSheet | None:
    """Returns the sheet that was issued for an order, or ``None``."""
    sheet_id = await pool.fetchval("SELECT sheet_id FROM sheet_orders WHERE order_id = $1", order_id)
    return await sheet(pool, sheet_id) if sheet_id else None


async def place(pool: Pool, sheet_id: UUID, rows: Iterable[tuple[AwaitedReferral, ReferralKind]]) -> dict[UUID, str]:
    """Assigns a row code to each referral on a sheet, and returns the codes. Existing codes are kept."""
    requested = list(rows)
    codes: dict[UUID, str] = {}
    while lacking := [row for row in requested if row[0].referral_id not in codes]:
        fresh = [_fresh_code() for _ in lacking]
        streams = [asked.stream_id for asked, _ in lacking]
        referrals = [str(asked.referral_id) for asked, _ in lacking]
        await pool.execute(_PLACE, sheet_id, fresh, streams, referrals, [kind.value for _, kind in lacking])
        found = await pool.fetch(_CODES, sheet_id, referrals)
        codes |= {UUID(row["referral_id"]): row["row_code"] for row in found}
    return codes


def _fresh_code() -> str:
    return row_code("".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH - 1)))


# Collecting


async def placed(pool: Pool, codes: Iterable[str]) -> dict[str, RowTarget]:
    """Returns what these row codes stand for. Unknown codes are left out."""
    rows = await pool.fetch(_PLACED, list(codes))
    return {row["row_code"]: _placed(row) for row in rows}


async def sheet(pool: Pool, sheet_id: UUID) -> IssuedSheet | None:
    row = await pool.fetchrow(_ISSUED, sheet_id)
    return IssuedSheet(**{**row, "kind": SheetKind(row["kind"])}) if row else None


async def cases_on(pool: Pool, sheet_ids: Iterable[UUID]) -> list[UUID]:
    """Returns all cases on these sheets, answered or not, because their names are on the paper."""
    rows = await pool.fetch(_EVERYBODY, list(sheet_ids))
    return [row["stream_id"] for row in rows]


async def answered_on(pool: Pool, sheet_id: UUID) -> list[UUID]:
    """Returns the cases with collected lines on this sheet."""
    return [row["stream_id"] for row in await pool.fetch(_ANSWERED, sheet_id)]


async def note_line(pool: Pool, line_id: UUID, code: str, part: str, message_id: UUID) -> bool:
    """Records that a line was collected. Returns whether a later line has replaced it."""
    await pool.execute(_NOTE, line_id, code, part, message_id)
    return bool(await pool.fetchval(_SUPERSEDED, line_id))


async def known(pool: Pool, line_ids: Sequence[UUID]) -> set[UUID]:
    """Returns those of the lines that were collected before."""
    rows = await pool.fetch("SELECT line_id FROM sheet_lines WHERE line_id = ANY ($1)", line_ids)
    return {row["line_id"] for row in rows}


async def outcomes(pool: Pool, message_ids: Sequence[UUID]) -> dict[UUID, LineOutcome]:
    """Returns the status and result of many messages."""
    rows = await pool.fetch(_BECAME, message_ids)
    return {row["message_id"]: LineOutcome(row["status"], json.loads(row["result"] or "{}")) for row in rows}


def _placed(row: asyncpg.Record) -> RowTarget:
    columns = {**row, "referral_id": UUID(row["referral_id"]), "kind": ReferralKind(row["kind"])}
    return RowTarget(**columns)


_AWAITING = """
SELECT t.stream_id, t.referral_id FROM referral_tokens t
JOIN streams s USING (stream_id)
LEFT JOIN referral_list r ON r.stream_id = t.stream_id AND r.referral_id = t.referral_id
WHERE t.partner_id = $1 AND s.open AND (r.status IS NULL OR r.status <> ALL ($2::text[]))
ORDER BY s.number, t.referral_id
"""

_ISSUE = """
INSERT INTO sheets (sheet_id, kind, partner_id, movement, issued_by) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (sheet_id) DO NOTHING
"""

_ORDER = "INSERT INTO sheet_orders (order_id, sheet_id) VALUES ($1, $2) ON CONFLICT (order_id) DO NOTHING"

_ISSUED = "SELECT sheet_id, kind, partner_id, movement, issued_by, issued_at FROM sheets WHERE sheet_id = $1"

_PLACE = """
INSERT INTO sheet_rows (row_code, sheet_id, stream_id, referral_id, kind)
SELECT row_code, $1, stream_id, referral_id, kind
FROM unnest($2::text[], $3::uuid[], $4::text[], $5::text[]) AS new (row_code, stream_id, referral_id, kind)
ON CONFLICT DO NOTHING
"""

_CODES = "SELECT row_code, referral_id FROM sheet_rows WHERE sheet_id = $1 AND referral_id = ANY ($2)"

_PLACED = """
SELECT r.row_code, r.sheet_id, r.stream_id, r.referral_id, r.kind, s.partner_id, t.token, s.issued_at
FROM sheet_rows r
JOIN sheets s USING (sheet_id)
JOIN referral_tokens t ON t.stream_id = r.stream_id AND t.referral_id = r.referral_id
WHERE r.row_code = ANY ($1)
"""

_EVERYBODY = "SELECT DISTINCT stream_id FROM sheet_rows WHERE sheet_id = ANY ($1) ORDER BY stream_id"

_ANSWERED = """
SELECT DISTINCT r.stream_id FROM sheet_rows r JOIN sheet_lines l USING (row_code)
WHERE r.sheet_id = $1 ORDER BY r.stream_id
"""

_NOTE = """
INSERT INTO sheet_lines (line_id, row_code, part, message_id) VALUES ($1, $2, $3, $4) ON CONFLICT (line_id) DO NOTHING
"""

_SUPERSEDED = """
SELECT EXISTS (SELECT FROM sheet_lines mine JOIN sheet_lines later USING (row_code, part)
               WHERE mine.line_id = $1 AND later.arrival > mine.arrival)
"""

_BECAME = "SELECT message_id, status, result FROM inbox WHERE message_id = ANY ($1)"
