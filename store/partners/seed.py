"""Sample partners of an embedded installation, with their shared secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from domain.kernel.names import country_name
from domain.kernel.vocabulary import ReferralKind
from domain.referral.disclosure import RECIPIENT_OF, Recipient
from store.crypto.webhook_signatures import new_secret
from store.partners.keys import Direction, add_key, keys_of
from store.partners.registry import SEED, RegisteredPartner, columns_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import asyncpg

    from store.crypto.keys import MasterKey

    Pool = asyncpg.Pool[asyncpg.Record]


COUNTRIES: Final = tuple(
    "NGA MLI NER BGD GMB GIN BFA SEN GHA CIV SDN TCD CMR SLE EGY PAK MAR ETH SOM BEN TGO LBR GNB".split()  # noqa: SIM905
)
"""Countries of return of the sample programme (ISO 3166, alpha-3)."""


def _of(*recipients: Recipient) -> frozenset[ReferralKind]:
    return frozenset(kind for kind, recipient in RECIPIENT_OF.items() if recipient in recipients)


def _of_country(country: str) -> Iterable[RegisteredPartner]:
    low, of_country = country.lower(), country_name(country)
    yield RegisteredPartner(f"embassy-{low}", f"Embassy of {of_country}", _of(Recipient.EMBASSY), country)
    reception = _of(Recipient.RECEPTION) | {ReferralKind.REINTEGRATION_COUNSELLING}
    name = f"Reception partner, {of_country}"
    yield RegisteredPartner(f"reception-{low}", name, reception, country, recipient=Recipient.RECEPTION)
    provider = frozenset({ReferralKind.REINTEGRATION_SERVICE, ReferralKind.PROCUREMENT})
    yield RegisteredPartner(f"provider-{low}", f"Reintegration services, {of_country}", provider, country)


_CHILDREN: Final = frozenset({ReferralKind.CHILD_BIA, ReferralKind.BID_PANEL}) | _of(
    Recipient.GUARDIANSHIP, Recipient.TRACING
)

_REFUGE: Final = frozenset({ReferralKind.VOT_ASSISTANCE}) | _of(Recipient.SHELTER)

STANDARD: Final[Sequence[RegisteredPartner]] = (
    RegisteredPartner("clinic-tripoli", "Clinic, Tripoli", _of(Recipient.CLINIC)),
    RegisteredPartner("exit-authority", "Exit authority", _of(Recipient.EXIT_AUTHORITY)),
    RegisteredPartner("partner-012", "Protection organisation", _of(Recipient.PROTECTION)),
    RegisteredPartner("partner-017", "UNHCR Libya", _of(Recipient.UNHCR)),
    RegisteredPartner("community-liaison", "Community liaison", _of(Recipient.COMMUNITY)),
    RegisteredPartner("carrier", "Carrier", _of(Recipient.CARRIER)),
    RegisteredPartner("partner-023", "Health services", _of(Recipient.MHPSS)),
    RegisteredPartner("detention-authority", "Detention authority", _of(Recipient.DETENTION_AUTHORITY)),
    RegisteredPartner("partner-031", "Child protection", _CHILDREN),
    RegisteredPartner("transit-mission", "Transit mission", _of(Recipient.TRANSIT)),
    RegisteredPartner("partner-046", "Safe house, Benghazi", _REFUGE),
    RegisteredPartner("partner-047", "Safe house, Tripoli", _REFUGE),
    *(partner for country in COUNTRIES for partner in _of_country(country)),
)
"""The sample partners."""


async def seed(pool: Pool, master: MasterKey, receiver: Callable[[str], str | None] | None = None) -> Mapping[str, str]:
    """Registers the sample partners, each with a shared secret; ``receiver`` returns the receiver URL of a partner.

    Returns the secrets by partner, for the simulator. Seeding again keeps existing secrets. A sample partner uses one
    secret for both directions, which saves the simulator a file; real partners must not do this.
    """
    rows = [columns_of(p, receiver(p.partner_id) if receiver else None) for p in STANDARD]
    await pool.executemany(SEED, rows)
    return {partner.partner_id: await _shared_secret(pool, master, partner.partner_id) for partner in STANDARD}


async def _shared_secret(pool: Pool, master: MasterKey, partner_id: str) -> str:
    found = {way: await _secrets(pool, master, partner_id, way) for way in Direction}
    secret = next((known[0] for known in found.values() if known), None) or new_secret()
    for way, known in found.items():
        if not known:
            await add_key(pool, master, partner_id, secret, direction=way)
    return secret


async def _secrets(pool: Pool, master: MasterKey, partner_id: str, way: Direction) -> list[str]:
    keys = await keys_of(pool, master, partner_id, resting=True, direction=way)
    return [key.text for key in keys if key.algorithm == "v1"]
