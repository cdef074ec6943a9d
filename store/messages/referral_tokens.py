"""Look-ups by referral token, for interfaces that must know the referral before they accept a signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from domain.events.referral import ReferralCreated
from domain.kernel.vocabulary import STATEMENTS, ReferralKind, SignalType
from store.log.mapper import EventMapper, UnreadableEventError
from store.log.rows import EventRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from store.crypto.keys import KeyStore
    from store.partners.keys import PartnerKey

    Pool = asyncpg.Pool[asyncpg.Record]


async def may_say(pool: Pool, keys: KeyStore, by: Iterable[PartnerKey], fields: Mapping[str, Any]) -> bool:
    """Returns whether the scope of one of the keys permits this signal about the referral of its token."""
    signed_by = tuple(by)
    if any(not key.scope.limited for key in signed_by):
        return True
    token, partners = str(fields["referral_token"]), list({key.partner_id for key in signed_by})
    found = await pool.fetch(_CREATED, token, partners)
    signal = SignalType(fields["signal_type"])
    if not found:
        return signal in STATEMENTS  # the scope of a key can be checked only if the kind of the referral is known
    kind = await _kind(keys, found)
    return any(key.scope.permits(kind, signal) for key in signed_by)


async def _kind(keys: KeyStore, found: list[asyncpg.Record]) -> ReferralKind | None:
    """Returns the true kind of the referral, or ``None`` if it cannot be read."""
    referral_id, mapper = found[0]["referral_id"], EventMapper(await keys.keyring(found[0]["stream_id"], ()))
    created = [event for row in found if (event := _read(mapper, row)) is not None]
    return next((event.true_kind or event.kind for event in created if str(event.referral_id) == referral_id), None)


def _read(mapper: EventMapper, row: asyncpg.Record) -> ReferralCreated | None:
    try:
        event = mapper.to_domain_event(EventRow(*tuple(row)[1:])) if row["version"] is not None else None
    except UnreadableEventError:
        return None
    return event if isinstance(event, ReferralCreated) else None


_CREATED = """
SELECT t.referral_id, t.stream_id, e.version, e.topic, e.state, e.event_id, e.metadata, e.hash, e.recorded_at
FROM referral_tokens t LEFT JOIN events e ON e.stream_id = t.stream_id AND e.topic = 'ReferralCreated'
WHERE t.token = $1 AND t.partner_id = ANY ($2)
"""


@dataclass(frozen=True, slots=True)
class TokenCandidate:
    """A referral token with its stream and referral."""

    token: str
    stream_id: UUID
    referral_id: str


async def referral_tokens(
    pool: Pool,
    partner_id: str,
    *,
    after: str = "",
    since: datetime | None = None,
    waiting: bool = False,
    limit: int = 100,
) -> list[TokenCandidate]:
    """Returns the tokens of referrals that a partner knows, in alphabetical order, after the token ``after``.

    ``since``: only referrals of cases with a message from or to this partner since that time (UTC); other events of a
    case do not count, because the selection would reveal them. ``waiting``: also referrals not handed over yet.
    """
    return [TokenCandidate(*row) for row in await pool.fetch(_TOKENS, partner_id, after, since, limit, waiting)]


async def hand_over(pool: Pool, outbox_ids: Iterable[UUID], revision: int) -> bool:
    """Settles messages of one case that reach their partner in another way than through the outbox.

    Returns False, and settles none, if the case is no longer at ``revision`` or has pending messages.
    """
    return bool(await pool.fetch(_HAND_OVER, list(outbox_ids), revision))


async def interpreted(pool: Pool, message_id: UUID, signal: SignalType) -> SignalType:
    """Stores how an update of a task was interpreted, and returns the stored interpretation of its first receipt."""
    await pool.execute("INSERT INTO task_updates VALUES ($1, $2) ON CONFLICT DO NOTHING", message_id, signal)
    return SignalType(await pool.fetchval("SELECT signal_type FROM task_updates WHERE message_id = $1", message_id))


WAITS: Final = ("pending", "by_hand")
"""The statuses of messages that can still be handed over."""

# An expiry confirmed by a rule sends no message, and stays visible: expired referrals are always included.
_TOKENS = """
WITH reported AS (
    SELECT DISTINCT stream_id FROM inbox
    WHERE kind = 'signal' AND source = 'partner:' || $1 AND settled_at >= $3::timestamptz)
SELECT t.token, t.stream_id, t.referral_id FROM referral_tokens t
WHERE t.partner_id = $1 AND t.token > $2 AND EXISTS (
    SELECT FROM outbox o
    WHERE o.stream_id = t.stream_id AND o.referral_id = t.referral_id AND o.partner_id = $1
      AND (o.status = 'delivered' OR $5::boolean AND o.status IN ('pending', 'by_hand'))
      AND ($3::timestamptz IS NULL OR o.status <> 'delivered' OR o.settled_at >= $3
           OR t.stream_id IN (SELECT stream_id FROM reported)
           OR EXISTS (SELECT FROM referral_list r WHERE r.stream_id = t.stream_id
                      AND r.referral_id = t.referral_id AND r.status = 'EXPIRED')))
ORDER BY t.token LIMIT $4
"""

_HAND_OVER = """
UPDATE outbox o SET status = 'delivered', settled_at = awda_now(), begun_at = coalesce(o.begun_at, clock_timestamp())
FROM streams s
WHERE o.outbox_id = ANY ($1) AND o.status IN ('pending', 'by_hand') AND s.stream_id = o.stream_id AND s.revision = $2
  AND NOT EXISTS (SELECT FROM inbox i WHERE i.stream_id = o.stream_id AND i.status = 'pending')
RETURNING 1
"""
