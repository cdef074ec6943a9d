"""Partners: who may be asked for what, where they listen, and the keys by which they are known.

A partner has shared secrets (``v1``, sealed here under the master key) or public keys (``v1a``), several at once
while one is being replaced. Keys count by the real clock, not the programme's.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from os import urandom
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import asyncpg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.moment import Directory, Partner
from domain.partner import RECIPIENT_OF, Recipient
from domain.words import ReferralKind
from store.keys import NONCE, BadMasterKey
from store.signing import PRIVATE, PUBLIC, SECRET, BadKey, key_bytes, new_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from store.keys import MasterKey

    Pool = asyncpg.Pool[asyncpg.Record]

K = ReferralKind

COUNTRIES: Final = tuple(
    "NGA MLI NER BGD GMB GIN BFA SEN GHA CIV SDN TCD CMR SLE EGY PAK MAR ETH SOM BEN TGO LBR GNB".split()  # noqa: SIM905
)
"""Countries of return of the synthetic programme (ISO 3166, alpha-3)."""


class UnknownPartner(LookupError):
    """No partner has this id."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A partner as registered. ``country``: the only country of return it serves, or ``None`` for all."""

    partner_id: str
    name: str
    kinds: frozenset[ReferralKind]
    country: str | None = None
    receiver_url: str | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class PartnerKey:
    """A key that is in force; ``text`` is what ``store.signing`` takes."""

    key_id: str
    partner_id: str
    algorithm: str
    text: str


@dataclass(frozen=True, slots=True)
class Outbound:
    """Where and under which secret a partner is written to."""

    url: str
    secret: str


def _of(*recipients: Recipient) -> frozenset[ReferralKind]:
    return frozenset(kind for kind, recipient in RECIPIENT_OF.items() if recipient in recipients)


def _of_country(country: str) -> Iterable[Registered]:
    low = country.lower()
    yield Registered(f"embassy-{low}", f"Embassy ({country})", _of(Recipient.EMBASSY), country)
    reception = _of(Recipient.RECEPTION) | {K.REINTEGRATION_COUNSELLING}
    yield Registered(f"reception-{low}", f"Reception ({country})", reception, country)
    provider = frozenset({K.REINTEGRATION_SERVICE, K.PROCUREMENT})
    yield Registered(f"provider-{low}", f"Reintegration services ({country})", provider, country)


_CHILDREN: Final = frozenset({K.CHILD_BIA, K.BID_PANEL}) | _of(Recipient.GUARDIANSHIP, Recipient.TRACING)
_REFUGE: Final = frozenset({K.VOT_ASSISTANCE}) | _of(Recipient.SHELTER)

STANDARD: Final[Sequence[Registered]] = (
    Registered("clinic-tripoli", "Clinic, Tripoli", _of(Recipient.CLINIC)),
    Registered("exit-authority", "Exit authority", _of(Recipient.EXIT_AUTHORITY)),
    Registered("protection-ngo", "Protection organisation", _of(Recipient.PROTECTION)),
    Registered("unhcr-libya", "UNHCR Libya", _of(Recipient.UNHCR)),
    Registered("community-liaison", "Community liaison", _of(Recipient.COMMUNITY)),
    Registered("carrier", "Carrier", _of(Recipient.CARRIER)),
    Registered("mhpss-provider", "Health services", _of(Recipient.MHPSS)),
    Registered("detention-authority", "Detention authority", _of(Recipient.DETENTION_AUTHORITY)),
    Registered("child-protection", "Child protection", _CHILDREN),
    Registered("transit-mission", "Transit mission", _of(Recipient.TRANSIT)),
    Registered("safe-house-benghazi", "Safe house, Benghazi", _REFUGE),
    Registered("safe-house-tripoli", "Safe house, Tripoli", _REFUGE),
    *(partner for country in COUNTRIES for partner in _of_country(country)),
)
"""The stand-ins of an embedded home."""


# Partners


async def add(pool: Pool, partner: Registered) -> None:
    """Register a partner, or change what is registered of it. Its keys stay, and its receiver if none is given."""
    await pool.execute(_ADD, *_columns(partner))


async def get(pool: Pool, partner_id: str) -> Registered | None:
    row = await pool.fetchrow(_PARTNERS + " WHERE partner_id = $1", partner_id)
    return _registered(row) if row else None


async def listed(pool: Pool) -> list[Registered]:
    """Every partner, by id."""
    return [_registered(row) for row in await pool.fetch(_PARTNERS + " ORDER BY partner_id")]


async def directory(pool: Pool) -> Directory:
    """The partners that may be asked today, as the rules want them."""
    partners = [_registered(row) for row in await pool.fetch(_PARTNERS + " WHERE active")]
    return Directory({p.partner_id: Partner(p.partner_id, p.kinds, p.country) for p in partners})


# Keys


async def add_key(pool: Pool, master: MasterKey, partner_id: str, key: str) -> str:
    """Accept a key of a partner from now on: ``whsec_…`` or ``whpk_…``. Returns the key's id.

    Raises ``BadKey``, and ``UnknownPartner``.
    """
    raw, key_id = key_bytes(key), f"key-{uuid4().hex[:12]}"
    if key.startswith(PRIVATE):
        raise BadKey(f"a partner's {PRIVATE} key stays with the partner: register its {PUBLIC} half")
    shared = key.startswith(SECRET)
    sealed = _seal(master, partner_id, key_id, raw) if shared else None
    columns = (key_id, partner_id, "v1" if shared else "v1a", None if shared else raw, sealed)
    try:
        await pool.execute(_ADD_KEY, *columns)
    except asyncpg.ForeignKeyViolationError:
        raise UnknownPartner(f"there is no partner {partner_id!r}: register it before its keys") from None
    return key_id


async def revoke_key(pool: Pool, key_id: str) -> bool:
    """Accept a key no longer. Whether there was such a key in force."""
    revoke = "UPDATE partner_keys SET revoked_at = clock_timestamp() WHERE key_id = $1 AND revoked_at IS NULL"
    return str(await pool.execute(revoke, key_id)).endswith(" 1")


async def keys_of(pool: Pool, master: MasterKey, partner_id: str, *, resting: bool = False) -> list[PartnerKey]:
    """The keys of an active partner that are in force, newest first; none for one that nobody knows.

    ``resting``: also those of a partner that is not active now.
    """
    return [_key(master, row) for row in await pool.fetch(_KEYS, partner_id, resting)]


async def outbound(pool: Pool, master: MasterKey, partner_id: str) -> Outbound | None:
    """Where a partner listens, or ``None`` if it has no receiver or shares no secret with us."""
    partner = await get(pool, partner_id)
    if partner is None or not partner.active or not partner.receiver_url:
        return None
    shared = [key.text for key in await keys_of(pool, master, partner_id) if key.algorithm == "v1"]
    return Outbound(partner.receiver_url, shared[0]) if shared else None


async def seed(pool: Pool, master: MasterKey, receiver: Callable[[str], str | None] | None = None) -> Mapping[str, str]:
    """Register the stand-ins of an embedded home, each with a shared secret; ``receiver`` says where each listens.

    Returns the secrets by partner, for the simulator that plays them. A second seeding keeps the secrets there are.
    """
    rows = [_columns(p, receiver(p.partner_id) if receiver else None) for p in STANDARD]
    await pool.executemany(_SEED, rows)
    return {partner.partner_id: await _shared_secret(pool, master, partner.partner_id) for partner in STANDARD}


async def _shared_secret(pool: Pool, master: MasterKey, partner_id: str) -> str:
    keys = await keys_of(pool, master, partner_id, resting=True)
    known = [key.text for key in keys if key.algorithm == "v1"]
    if known:
        return known[0]
    secret = new_secret()
    await add_key(pool, master, partner_id, secret)
    return secret


# Rows


def _columns(partner: Registered, receiver_url: str | None = None) -> tuple[object, ...]:
    kinds = sorted(partner.kinds)
    url = receiver_url or partner.receiver_url
    return partner.partner_id, partner.name, kinds, partner.country, url, partner.active


def _registered(row: asyncpg.Record) -> Registered:
    partner_id, name, kinds, country, url, active = row
    known = frozenset(ReferralKind(kind) for kind in kinds if kind in ReferralKind.__members__)
    return Registered(partner_id, name, known, country, url, active)


def _key(master: MasterKey, row: asyncpg.Record) -> PartnerKey:
    key_id, partner_id, algorithm, public, sealed = row
    raw = public if algorithm == "v1a" else _open(master, partner_id, key_id, sealed)
    prefix = PUBLIC if algorithm == "v1a" else SECRET
    return PartnerKey(key_id, partner_id, algorithm, prefix + b64encode(raw).decode())


def _cipher(master: MasterKey) -> AESGCM:
    return AESGCM(master.fingerprint(b"secrets shared with partners"))


def _seal(master: MasterKey, partner_id: str, key_id: str, raw: bytes) -> bytes:
    nonce = urandom(NONCE)
    return nonce + _cipher(master).encrypt(nonce, raw, f"{partner_id}|{key_id}".encode())


def _open(master: MasterKey, partner_id: str, key_id: str, sealed: bytes) -> bytes:
    try:
        return _cipher(master).decrypt(sealed[:NONCE], sealed[NONCE:], f"{partner_id}|{key_id}".encode())
    except InvalidTag:
        msg = f"{key_id} of {partner_id} was not sealed by this master key: check AWDA_MASTER_KEY"
        raise BadMasterKey(msg) from None


_PARTNERS = "SELECT partner_id, name, kinds, country, receiver_url, active FROM partners"

_INSERT = """
INSERT INTO partners (partner_id, name, kinds, country, receiver_url, active) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (partner_id) DO UPDATE SET receiver_url = coalesce(excluded.receiver_url, partners.receiver_url)"""

_ADD = _INSERT + ", name = excluded.name, kinds = excluded.kinds, country = excluded.country, active = excluded.active"
_SEED = _INSERT  # what somebody changed of a stand-in stays changed

_ADD_KEY = "INSERT INTO partner_keys (key_id, partner_id, algorithm, public, secret) VALUES ($1, $2, $3, $4, $5)"

_KEYS = """
SELECT key_id, partner_id, algorithm, public, secret FROM partner_keys JOIN partners USING (partner_id)
WHERE partner_id = $1 AND (active OR $2) AND revoked_at IS NULL
  AND valid_from <= clock_timestamp() AND (valid_until IS NULL OR valid_until > clock_timestamp())
ORDER BY valid_from DESC, key_id
"""
