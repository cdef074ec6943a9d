"""The registry of partners: what each may be asked, its receiver, and the history of its changes."""

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
    """There is no partner with this id."""


@dataclass(frozen=True, slots=True)
class RegisteredPartner:
    """A registered partner. ``country``: the only country of return that it serves, or ``None`` for all.

    ``calendar``: the country whose working days it keeps, if not the usual one for its kind. ``contact``: contact
    details of the organisation. ``tolerance_s``: the accepted clock difference of its signatures (seconds).
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
                f"The clock tolerance must be 1 to {LONGEST_TOLERANCE_S} seconds (you entered {self.tolerance_s})"
            )

    @property
    def type(self) -> Recipient | None:
        """Returns its role: as registered, or derived from its kinds of referral if these imply exactly one role."""
        implied = {RECIPIENT_OF[kind] for kind in self.kinds if kind in RECIPIENT_OF}
        return self.recipient or (implied.pop() if len(implied) == 1 else None)


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """An entry in the history of the registry. ``details``: the values that were set."""

    at: datetime
    by: str
    change: str
    key_id: str | None
    details: dict[str, Any]


async def add(pool: Pool, partner: RegisteredPartner, *, by: str = SYSTEM) -> None:
    """Registers a partner or changes its registration. Keys are kept, and the receiver too if none is given."""
    async with changing(pool) as connection:
        known = await connection.fetchval("SELECT true FROM partners WHERE partner_id = $1", partner.partner_id)
        await connection.execute(_ADD, *columns_of(partner))
        await note_change(
            connection, by, "changed" if known else "registered", partner.partner_id, **_history_of(partner)
        )


async def get(pool: Pool, partner_id: str) -> RegisteredPartner | None:
    row = await pool.fetchrow(_PARTNERS + " WHERE partner_id = $1", partner_id)
    return _registered(row) if row else None


async def listed(pool: Pool) -> list[RegisteredPartner]:
    """Returns all partners, ordered by id."""
    return [_registered(row) for row in await pool.fetch(_PARTNERS + " ORDER BY partner_id")]


async def directory(pool: Pool) -> Directory:
    """Returns the active partners, as the rules use them."""
    partners = [_registered(row) for row in await pool.fetch(_PARTNERS + " WHERE active")]
    return Directory({p.partner_id: _directory_entry(p) for p in partners})


def _directory_entry(p: RegisteredPartner) -> Partner:
    return Partner(p.partner_id, p.kinds, p.country, mandatory_reporting=p.mandatory_reporting, works_in=p.calendar)


async def changes(pool: Pool, partner_id: str, limit: int = 20) -> list[RegistryChange]:
    """Returns the changes to a partner and its keys, newest first."""
    rows = await pool.fetch(_CHANGES, partner_id, limit)
    return [RegistryChange(at, by, change, key_id, json.loads(details)) for at, by, change, key_id, details in rows]


async def receiver_is_gone(pool: Pool, partner_id: str, url: str) -> bool:
    """Removes a receiver that answered 410 Gone, until one is registered again. Returns whether it was registered."""
    return await pool.fetchval(_GONE, partner_id, url) is not None


@asynccontextmanager
async def changing(pool: Pool, partner_id: str | None = None) -> AsyncIterator[Connection]:
    """Opens a transaction for one change of the registry; changes to the keys of one partner are serialised."""
    async with pool.acquire() as connection, connection.transaction():
        if partner_id is not None and await connection.fetchval(_LOCK, partner_id) is None:
            raise UnknownPartnerError(f"There is no partner {partner_id!r}: register the partner before you add keys")
        yield connection


async def note_change(
    connection: Connection, by: str, change: str, partner_id: str, key_id: str | None = None, **details: Any
) -> None:
    known = {name: value for name, value in details.items() if value is not None}
    await connection.execute(_NOTE, by, partner_id, key_id, change, json.dumps(known, sort_keys=True))


def _history_of(partner: RegisteredPartner) -> dict[str, Any]:
    """Returns what the history keeps of a registration. Not the contact: it may be a person."""
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

SEED = _INSERT  # changes that staff made to a sample partner are kept

_GONE = """
UPDATE partners SET receiver_url = NULL, receiver_gone = receiver_url, receiver_gone_at = clock_timestamp()
WHERE partner_id = $1 AND receiver_url = $2 RETURNING 1
"""

_LOCK = "SELECT true FROM partners WHERE partner_id = $1 FOR UPDATE"

_NOTE = "INSERT INTO partner_changes (by, partner_id, key_id, change, told) VALUES ($1, $2, $3, $4, $5)"

_CHANGES = """
SELECT at, by, change, key_id, told FROM partner_changes WHERE partner_id = $1 ORDER BY change_id DESC LIMIT $2
"""
