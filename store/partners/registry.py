"""Partners: who may be asked for what, where they listen, and who changed what is known of them."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import asyncpg

from domain.kernel.directory import Directory, Partner
from domain.kernel.vocabulary import ReferralKind
from domain.referral.disclosure import RECIPIENT_OF, Recipient
from store.crypto.webhook_signatures import LONGEST_TOLERANCE_S, TOLERANCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from asyncpg.pool import PoolConnectionProxy

    Pool = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]

SYSTEM: Final = "system"


class UnknownPartnerError(LookupError):
    """No partner has this id."""


@dataclass(frozen=True, slots=True)
class RegisteredPartner:
    """A partner as registered. ``country``: the only country of return it serves, or ``None`` for all.

    ``calendar`` is the country whose working week it keeps, where that is not the usual one of what it does;
    ``contact`` is the organisation's, and ``tolerance_s`` how wrong the clock of its signatures may be (seconds).
    """

    partner_id: str
    name: str
    kinds: frozenset[ReferralKind]
    country: str | None = None
    receiver_url: str | None = None
    active: bool = True
    recipient: Recipient | None = None
    calendar: str | None = None
    mandatory_reporting: bool = False
    contact: str | None = None
    tolerance_s: int = TOLERANCE_S

    def __post_init__(self) -> None:
        if not 0 < self.tolerance_s <= LONGEST_TOLERANCE_S:
            raise ValueError(
                f"a signature's clock may be wrong by 1 to {LONGEST_TOLERANCE_S} s, not {self.tolerance_s}"
            )

    @property
    def type(self) -> Recipient | None:
        """What it is in the programme: as registered, or as what it may be asked says, if that is one thing."""
        asked = {RECIPIENT_OF[kind] for kind in self.kinds if kind in RECIPIENT_OF}
        return self.recipient or (asked.pop() if len(asked) == 1 else None)


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """An entry of the registry's own history."""

    at: datetime
    by: str
    change: str
    key_id: str | None
    told: dict[str, Any]


async def add(pool: Pool, partner: RegisteredPartner, *, by: str = SYSTEM) -> None:
    """Register a partner, or change what is registered of it. Its keys stay, and its receiver if none is given."""
    async with changing(pool) as connection:
        known = await connection.fetchval("SELECT true FROM partners WHERE partner_id = $1", partner.partner_id)
        await connection.execute(_ADD, *columns_of(partner))
        await note_change(connection, by, "changed" if known else "registered", partner.partner_id, **_told(partner))


async def get(pool: Pool, partner_id: str) -> RegisteredPartner | None:
    row = await pool.fetchrow(_PARTNERS + " WHERE partner_id = $1", partner_id)
    return _registered(row) if row else None


async def listed(pool: Pool) -> list[RegisteredPartner]:
    """Every partner, by id."""
    return [_registered(row) for row in await pool.fetch(_PARTNERS + " ORDER BY partner_id")]


async def directory(pool: Pool) -> Directory:
    """The partners that may be asked today, as the rules want them."""
    partners = [_registered(row) for row in await pool.fetch(_PARTNERS + " WHERE active")]
    return Directory({p.partner_id: _as_asked(p) for p in partners})


def _as_asked(p: RegisteredPartner) -> Partner:
    return Partner(p.partner_id, p.kinds, p.country, mandatory_reporting=p.mandatory_reporting, works_in=p.calendar)


async def changes(pool: Pool, partner_id: str, limit: int = 20) -> list[RegistryChange]:
    """What was changed of a partner and its keys, newest first."""
    rows = await pool.fetch(_CHANGES, partner_id, limit)
    return [RegistryChange(at, by, change, key_id, json.loads(told)) for at, by, change, key_id, told in rows]


async def receiver_is_gone(pool: Pool, partner_id: str, url: str) -> bool:
    """A receiver asked not to be called any more: forget it, until somebody registers one. Whether this was news."""
    return await pool.fetchval(_GONE, partner_id, url) is not None


@asynccontextmanager
async def changing(pool: Pool, partner_id: str | None = None) -> AsyncIterator[Connection]:
    """One change of the registry, whole or not at all; changes of one partner's keys take turns."""
    async with pool.acquire() as connection, connection.transaction():
        if partner_id is not None and await connection.fetchval(_LOCK, partner_id) is None:
            raise UnknownPartnerError(f"there is no partner {partner_id!r}: register it before its keys")
        yield connection


async def note_change(
    connection: Connection, by: str, change: str, partner_id: str, key_id: str | None = None, **told: Any
) -> None:
    known = {name: value for name, value in told.items() if value is not None}
    await connection.execute(_NOTE, by, partner_id, key_id, change, json.dumps(known, sort_keys=True))


def _told(partner: RegisteredPartner) -> dict[str, Any]:
    """What is kept of a registration for ever: not the contact, who may be a person."""
    return {
        "kinds": sorted(partner.kinds),
        "country": partner.country,
        "active": partner.active,
        "recipient": partner.type,
        "mandatory_reporting": partner.mandatory_reporting,
        "receiver_url": partner.receiver_url,
        "tolerance_s": partner.tolerance_s,
    }


# Rows


def columns_of(partner: RegisteredPartner, receiver_url: str | None = None) -> tuple[object, ...]:
    return (
        partner.partner_id,
        partner.name,
        sorted(partner.kinds),
        partner.country,
        receiver_url or partner.receiver_url,
        partner.active,
        partner.type,
        partner.calendar,
        partner.mandatory_reporting,
        partner.contact,
        partner.tolerance_s,
    )


def _registered(row: asyncpg.Record) -> RegisteredPartner:
    partner_id, name, kinds, country, url, active, recipient, *rest = row
    known = frozenset(ReferralKind(kind) for kind in kinds if kind in ReferralKind.__members__)
    kind_of = Recipient(recipient) if recipient in Recipient.__members__ else None
    return RegisteredPartner(partner_id, name, known, country, url, active, kind_of, *rest)


_WHAT = "recipient, calendar, mandatory_reporting, contact, tolerance_s"

_PARTNERS = f"SELECT partner_id, name, kinds, country, receiver_url, active, {_WHAT} FROM partners"  # noqa: S608

_INSERT = f"""
INSERT INTO partners (partner_id, name, kinds, country, receiver_url, active, {_WHAT})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (partner_id) DO UPDATE SET receiver_url = coalesce(excluded.receiver_url, partners.receiver_url)"""  # noqa: S608

_ADD = (
    _INSERT + ", name = excluded.name, kinds = excluded.kinds, country = excluded.country, active = excluded.active,"
    " recipient = excluded.recipient, calendar = excluded.calendar, contact = excluded.contact,"
    " mandatory_reporting = excluded.mandatory_reporting, tolerance_s = excluded.tolerance_s"
)

SEED = _INSERT  # what somebody changed of a stand-in stays changed

_GONE = """
UPDATE partners SET receiver_url = NULL, receiver_gone = receiver_url, receiver_gone_at = clock_timestamp()
WHERE partner_id = $1 AND receiver_url = $2 RETURNING 1
"""

_LOCK = "SELECT true FROM partners WHERE partner_id = $1 FOR UPDATE"

_NOTE = "INSERT INTO partner_changes (by, partner_id, key_id, change, told) VALUES ($1, $2, $3, $4, $5)"

_CHANGES = """
SELECT at, by, change, key_id, told FROM partner_changes WHERE partner_id = $1 ORDER BY change_id DESC LIMIT $2
"""
