"""What partners were asked, by the tokens they quote: for doors that must know it before a signal goes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain.referral import ReferralCreated
from domain.words import ReferralKind, SignalType
from store.mapper import EventMapper, Unreadable
from store.recorder import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import asyncpg

    from store.keys import KeyStore
    from store.partners import PartnerKey

    Pool = asyncpg.Pool[asyncpg.Record]


async def may_say(pool: Pool, keys: KeyStore, by: Iterable[PartnerKey], fields: Mapping[str, Any]) -> bool:
    """Whether one of the keys may say this of that referral. A token that is not the partner's is not judged here."""
    signed_by = tuple(by)
    if any(not key.scope.limited for key in signed_by):
        return True
    token, partners = str(fields["referral_token"]), list({key.partner_id for key in signed_by})
    found = await pool.fetch(_CREATED, token, partners)
    if not found:
        return True
    kind, said = await _kind(keys, found), SignalType(fields["signal_type"])
    return any(key.scope.permits(kind, said) for key in signed_by)


async def _kind(keys: KeyStore, found: list[asyncpg.Record]) -> ReferralKind | None:
    """What the partner was really asked; ``None`` if that cannot be read."""
    wanted, mapper = found[0]["referral_id"], EventMapper(await keys.keyring(found[0]["stream_id"], ()))
    created = [event for row in found if (event := _read(mapper, row)) is not None]
    return next((event.true_kind or event.kind for event in created if str(event.referral_id) == wanted), None)


def _read(mapper: EventMapper, row: asyncpg.Record) -> ReferralCreated | None:
    try:
        event = mapper.read(Row(*tuple(row)[1:])) if row["version"] is not None else None
    except Unreadable:
        return None
    return event if isinstance(event, ReferralCreated) else None


_CREATED = """
SELECT t.referral_id, t.stream_id, e.version, e.topic, e.state, e.event_id, e.metadata, e.hash, e.recorded_at
FROM referral_tokens t LEFT JOIN events e ON e.stream_id = t.stream_id AND e.topic = 'ReferralCreated'
WHERE t.token = $1 AND t.partner_id = ANY ($2)
"""
