"""What partners were really told: each disclosure that was decided, and what became of the message that carries it.

Deciding to tell and telling are two facts, and days may lie between them. The log holds the first; the second stands
where the message left, or never did. Only what left counts as told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from audit.replay import Pool, ReplayedEvent, ReplayedStream, iso_utc
from domain.events.referral import DisclosureRecorded, ReferralHandedOver, ReferralListed
from store.messages.outbox import Delivery, Outbox, outbox_id_of


class DisclosureState(StrEnum):
    """What became of a disclosure; the first two count as told.

    ``MAY_KNOW``: an attempt had begun, and no answer came.
    """

    TOLD = "TOLD"
    MAY_KNOW = "MAY_KNOW"
    WAITING = "WAITING"
    NEVER_LEFT = "NEVER_LEFT"


@dataclass(frozen=True, slots=True)
class _Decided:
    """A disclosure as the log has it, and the message that carries it; ``None`` where a sheet does.

    ``brought`` is when a person says to have brought it, whatever became of the message (UTC).
    """

    entry: ReplayedEvent
    event: DisclosureRecorded
    carrier: UUID | None
    brought: datetime | None


async def disclosures(pool: Pool, folded: ReplayedStream, at: datetime | None = None) -> list[dict[str, Any]]:
    """What a case was to tell its partners, oldest first, and what became of it: until now, or a moment (UTC)."""
    decided = list(_decided(folded))
    carriers = [each.carrier for each in decided if each.carrier]
    there = {each.outbox_id: each for each in await Outbox(pool).several(carriers)} if carriers else {}
    return [_shown(each, there.get(each.carrier) if each.carrier else None, at) for each in decided]


def _decided(folded: ReplayedStream) -> Iterator[_Decided]:
    """Each stands right behind the event that tells the partner."""
    listed = {entry.row.version for entry in folded.entries if isinstance(entry.event, ReferralListed)}
    for entry in folded.entries:
        event, before = entry.event, entry.row.version - 1
        if isinstance(event, DisclosureRecorded) and event.direction == "OUT":
            carrier = None if before in listed else outbox_id_of(folded.head.stream_id, before)
            yield _Decided(entry, event, carrier, _brought(folded, entry, event))


def _brought(folded: ReplayedStream, told: ReplayedEvent, what: DisclosureRecorded) -> datetime | None:
    later = (entry for entry in folded.entries if entry.row.version > told.row.version)
    return next((each.effective_at for each in later if _brings(each, what)), None)


def _brings(entry: ReplayedEvent, what: DisclosureRecorded) -> bool:
    return isinstance(entry.event, ReferralHandedOver) and entry.event.referral_id == what.referral_id


def _shown(decided: _Decided, carrier: Delivery | None, at: datetime | None) -> dict[str, Any]:
    fate, told_at = _became(decided, carrier, at)
    event = decided.event
    return {
        "recipient": event.recipient,
        "fields": list(event.fields),
        "consent": event.consent,
        "referral_id": str(event.referral_id) if event.referral_id else None,
        "decided_at": iso_utc(decided.entry.effective_at),
        "fate": fate.value,
        "told_at": iso_utc(told_at) if told_at else None,
        "version": decided.entry.row.version,
    }


def _became(
    decided: _Decided, carrier: Delivery | None, at: datetime | None
) -> tuple[DisclosureState, datetime | None]:
    """A sheet is written as soon as its rows are recorded. A message that cannot be found may have left."""
    if decided.carrier is None:
        return DisclosureState.TOLD, decided.entry.effective_at
    if carrier is None:
        return DisclosureState.MAY_KNOW, None
    fate = disclosure_state(carrier, at)
    if fate is not DisclosureState.TOLD and decided.brought is not None:
        return DisclosureState.TOLD, decided.brought
    return fate, carrier.settled_at if fate is DisclosureState.TOLD else None


def disclosure_state(carrier: Delivery, at: datetime | None = None) -> DisclosureState:
    """What became of a message until now, or until a moment (UTC): what was settled later was on its way then."""
    settled = at is None or (carrier.settled_at is not None and carrier.settled_at <= at)
    if carrier.status == "delivered":
        return DisclosureState.TOLD if settled else DisclosureState.WAITING
    if carrier.begun_at is not None:
        return DisclosureState.MAY_KNOW
    return (
        DisclosureState.NEVER_LEFT if settled and carrier.status in ("withdrawn", "dead") else DisclosureState.WAITING
    )
