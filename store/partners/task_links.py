"""Task links for partners without a system: issued, opened with a code, answered, ended.

A link and its code are derived from the request under the master key, so that a repeated request gives the same link;
only digests are stored. Callers cannot distinguish why a link does not open: unknown, used, expired or locked.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg

if TYPE_CHECKING:
    from store.crypto.keys import MasterKey

    Pool = asyncpg.Pool[asyncpg.Record]

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no characters that are easily confused."""

TOKEN_BYTES: Final = 16

GROUP: Final = 4

CODE_DIGITS: Final = 6

MISSES: Final = 64

TICKET_LASTS: Final = timedelta(hours=2)
"""How long an opened page can be answered (programme clock)."""

MOST_ANSWERS: Final = 20
"""The maximum number of answers with one link. More would indicate misuse."""

WITHDRAWN: Final = ("revoked", "replaced")

_ALIKE: Final = str.maketrans({"o": "0", "i": "1", "l": "1", "u": "v"})

_BETWEEN: Final = re.compile(r"[\s\-]+")


@dataclass(frozen=True, slots=True)
class TaskLink:
    """A link as stored. Times are by the programme clock (UTC)."""

    link_id: UUID
    stream_id: UUID
    referral_id: UUID
    partner_id: str
    purpose: str
    issued_by: str
    issued_at: datetime
    expires_at: datetime
    tries: int
    answers: int
    ended_at: datetime | None = None
    ended_by: str | None = None

    @property
    def reference(self) -> str:
        """Returns the reference for conversation about the link. It does not open the link."""
        return f"L-{self.link_id.hex[:8]}"


@dataclass(frozen=True, slots=True)
class NewTaskLink:
    """A link to issue: for one referral, one purpose, by one user."""

    link_id: UUID
    stream_id: UUID
    referral_id: UUID
    partner_id: str
    purpose: str
    issued_by: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RedeemedLink:
    """A link that was opened with the correct code. ``at_answers``: the number of answers at that time."""

    link: TaskLink
    at_answers: int


@dataclass(frozen=True, slots=True)
class AnswerClaim:
    """When an answer was first given with a link, and its receipt if there is one. Times are UTC."""

    said_at: datetime
    receipt: str | None
    received_at: datetime | None


def made(master: MasterKey, *asked: bytes) -> tuple[str, str]:
    """Returns the token and the code of a request: the same each time, and not guessable."""
    drawn = master.fingerprint(b"task link", *asked)
    code = int.from_bytes(drawn[TOKEN_BYTES : TOKEN_BYTES + 8], "big") % 10**CODE_DIGITS
    return _spelled(drawn[:TOKEN_BYTES]), f"{code:0{CODE_DIGITS}}"


def _spelled(raw: bytes) -> str:
    """Returns bytes as text that can be copied from paper: distinguishable characters, in groups."""
    number, letters = int.from_bytes(raw, "big"), -(-len(raw) * 8 // 5)
    text = "".join(ALPHABET[number >> 5 * nth & 31] for nth in reversed(range(letters)))
    return "-".join(text[at : at + GROUP] for at in range(0, letters, GROUP))


def as_typed(token: str) -> bytes:
    """Returns a typed token in its canonical form."""
    return _BETWEEN.sub("", token).lower().translate(_ALIKE).encode("utf-8", "replace")


class TaskLinkStore:
    """Issues, opens and ends task links."""

    def __init__(self, pool: Pool, master: MasterKey) -> None:
        self.pool, self.master = pool, master

    async def issue(self, new: NewTaskLink, token: str, code: str) -> TaskLink:
        """Issues a link and ends the current link of the referral. A repeated request returns the first link."""
        typed = as_typed(token)
        hashes = (self._token(typed), self._code(typed, code))
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 12))", str(new.referral_id))
            if row := await connection.fetchrow(_GET, new.link_id):
                return TaskLink(*row)
            await connection.execute(_REPLACE, new.stream_id, new.referral_id)
            columns = await connection.fetchrow(
                _ISSUE, new.link_id, *hashes, new.stream_id, new.referral_id, new.partner_id, new.purpose,
                new.issued_by, new.expires_at,
            )  # fmt: skip
        return TaskLink(*(columns or ()))

    async def open(self, token: str, code: str, most: int) -> TaskLink | None:
        """Returns the link if it can be opened with this code. A wrong code permanently uses one of ``most`` tries."""
        typed = as_typed(token)
        row = await self.pool.fetchrow(_TRY, self._token(typed), most, secrets.randbelow(MISSES))
        given = self._code(typed, code)
        if not hmac.compare_digest(given, row["code_hash"] if row else bytes(len(given))) or row is None:
            return None
        refunded = await self.pool.fetchrow(_GIVE_BACK, row["link_id"])
        return TaskLink(*refunded) if refunded else None

    async def opened(self, link: TaskLink, *, lang: str, showed: str) -> str:
        """Records that a link was opened. Returns the ticket with which the page can be answered."""
        ticket = secrets.token_urlsafe(TOKEN_BYTES)
        await self.pool.execute(_OPENED, self._ticket(ticket), link.link_id, lang, showed, link.answers)
        return ticket

    async def use_up(self, link: TaskLink) -> bool:
        """Ends a link that can be opened only once. Returns whether it was still open."""
        return await self.pool.fetchval(_END, link.link_id, "opened") is not None

    async def held(self, ticket: str) -> RedeemedLink | None:
        """Returns the link of a ticket; ``None`` if the ticket has expired or the link was withdrawn or replaced."""
        row = await self.pool.fetchrow(_HELD, self._ticket(ticket), TICKET_LASTS, list(WITHDRAWN), MOST_ANSWERS)
        if row is None:
            return None
        at_answers, *columns = row
        return RedeemedLink(TaskLink(*columns), at_answers)

    async def claim(self, link: TaskLink, slot: str) -> AnswerClaim:
        """Reserves an answer with a link, or returns when the same answer was first given."""
        await self.pool.execute(_CLAIM, link.link_id, slot)
        row = await self.pool.fetchrow(_CLAIMED, link.link_id, slot)
        if row is None:
            raise RuntimeError(f"The answer with link {link.link_id} was stored but cannot be found")
        return AnswerClaim(*row)

    async def settle(self, link: TaskLink, slot: str, receipt: str, received_at: datetime, *, ends: bool) -> None:
        """Stores the receipt of an answer that the inbox accepted, counts it, and ends the link if ``ends``."""
        await self.pool.execute(_SETTLE, link.link_id, slot, receipt, received_at, ends)

    async def revoke(self, link_id: UUID) -> bool:
        """Revokes a link. Returns whether it could still be opened or answered."""
        return await self.pool.fetchval(_END, link_id, "revoked") is not None

    async def listed(self, stream_id: UUID | None = None, *, limit: int = 200) -> list[TaskLink]:
        """Returns links, of one case or of all, newest first."""
        return [TaskLink(*row) for row in await self.pool.fetch(_LISTED, stream_id, limit)]

    async def openings(self, link_ids: list[UUID]) -> dict[UUID, list[datetime]]:
        """Returns when each of these links was opened (UTC), earliest first."""
        found: dict[UUID, list[datetime]] = {link_id: [] for link_id in link_ids}
        for link_id, opened_at in await self.pool.fetch(_OPENINGS, link_ids):
            found[link_id].append(opened_at)
        return found

    def _token(self, typed: bytes) -> bytes:
        return self.master.fingerprint(b"task link token", typed)

    def _code(self, typed: bytes, code: str) -> bytes:
        return self.master.fingerprint(b"task link code", typed, code.encode("utf-8", "replace"))

    def _ticket(self, ticket: str) -> bytes:
        return self.master.fingerprint(b"task link ticket", ticket.encode("utf-8", "replace"))


async def token_of(pool: Pool, stream_id: UUID, referral_id: UUID) -> str | None:
    """Returns the token of a referral, or ``None`` if the referral was never sent."""
    found: str | None = await pool.fetchval(_TOKEN, stream_id, str(referral_id))
    return found


async def next_contact_number(pool: Pool) -> str:
    """Returns the next number for a call request."""
    number: str = await pool.fetchval(_CONTACT_NUMBER)
    return number


_COLUMNS: Final = """link_id, stream_id, referral_id, partner_id, purpose, issued_by, issued_at, expires_at, tries,
    answers, ended_at, ended_by"""

_GET: Final = f"SELECT {_COLUMNS} FROM task_links WHERE link_id = $1"  # noqa: S608 (our own names)

_REPLACE: Final = """
UPDATE task_links SET ended_at = awda_now(), ended_by = 'replaced'
WHERE stream_id = $1 AND referral_id = $2 AND ended_at IS NULL
"""

_ISSUE: Final = f"""
INSERT INTO task_links (link_id, token_hash, code_hash, stream_id, referral_id, partner_id, purpose, issued_by,
                        expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {_COLUMNS}
"""  # noqa: S608 (our own names)

_TRY: Final = "SELECT link_id, code_hash FROM try_task_link($1, $2, $3)"

_GIVE_BACK: Final = f"UPDATE task_links SET tries = tries - 1 WHERE link_id = $1 RETURNING {_COLUMNS}"  # noqa: S608 (our own names)

_OPENED: Final = """
INSERT INTO task_link_openings (ticket_hash, link_id, lang, showed, answers) VALUES ($1, $2, $3, $4, $5)
"""

_HELD: Final = f"""
SELECT o.answers AS at_answers, {", ".join(f"l.{name.strip()}" for name in _COLUMNS.split(","))}
FROM task_link_openings o JOIN task_links l USING (link_id)
WHERE o.ticket_hash = $1 AND o.opened_at > awda_now() - $2::interval
  AND (l.ended_by IS NULL OR l.ended_by <> ALL ($3)) AND l.answers < $4 AND o.showed <> 'call'
"""  # noqa: S608 (our own names)

_CLAIM: Final = "INSERT INTO task_link_answers (link_id, slot) VALUES ($1, $2) ON CONFLICT (link_id, slot) DO NOTHING"

_CLAIMED: Final = "SELECT said_at, receipt, received_at FROM task_link_answers WHERE link_id = $1 AND slot = $2"

_SETTLE: Final = """
WITH settled AS (
    UPDATE task_link_answers SET receipt = $3, received_at = $4
    WHERE link_id = $1 AND slot = $2 AND receipt IS NULL RETURNING link_id)
UPDATE task_links SET answers = answers + 1,
    ended_at = CASE WHEN $5 THEN coalesce(ended_at, awda_now()) ELSE ended_at END,
    ended_by = CASE WHEN $5 THEN coalesce(ended_by, 'answered') ELSE ended_by END
WHERE link_id = (SELECT link_id FROM settled)
"""

_END: Final = """
UPDATE task_links SET ended_at = awda_now(), ended_by = $2 WHERE link_id = $1 AND ended_at IS NULL RETURNING 1
"""

_LISTED: Final = f"""
SELECT {_COLUMNS} FROM task_links WHERE $1::uuid IS NULL OR stream_id = $1 ORDER BY issued_at DESC, link_id LIMIT $2
"""  # noqa: S608 (our own names)

_OPENINGS: Final = """
SELECT link_id, opened_at FROM task_link_openings WHERE link_id = ANY ($1) ORDER BY opened_at, ticket_hash
"""

_TOKEN: Final = "SELECT token FROM referral_tokens WHERE stream_id = $1 AND referral_id = $2"  # noqa: S105 (a column)

_CONTACT_NUMBER: Final = """
SELECT format('CON-%s-%s', to_char(awda_now() AT TIME ZONE 'UTC', 'YYYY'),
              lpad(nextval('contact_numbers')::text, 6, '0'))
"""
