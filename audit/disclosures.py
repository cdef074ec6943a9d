"""Disclosures of personal data to partners: what was decided, and whether it was delivered.

The decision and the delivery are two facts that may be days apart. The log records the decision; the outbox records
the delivery. Only delivered data count as disclosed.
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
    """The state of a disclosure. ``TOLD`` and ``MAY_KNOW`` count as disclosed.

    ``MAY_KNOW``: a delivery attempt began and its result is unknown.
    """

    TOLD = "TOLD"
    MAY_KNOW = "MAY_KNOW"
    WAITING = "WAITING"
    NEVER_LEFT = "NEVER_LEFT"


@dataclass(frozen=True, slots=True)
class _RecordedDisclosure:
    """A disclosure in the log, and the outbox message that carries it (``None`` if a sheet does).

    ``delivered_by_hand_at``: when a person reported to have delivered it by hand, whatever the state of the message
    (UTC).
    """

    entry: ReplayedEvent
    event: DisclosureRecorded
    carrier: UUID | None
    delivered_by_hand_at: datetime | None


async def disclosures(pool: Pool, folded: ReplayedStream, at: datetime | None = None) -> list[dict[str, Any]]:
    """Returns the disclosures of a case, oldest first, with their state now or at a time (UTC)."""
    recorded = list(_recorded(folded))
    carriers = [each.carrier for each in recorded if each.carrier]
    deliveries = {each.outbox_id: each for each in await Outbox(pool).several(carriers)} if carriers else {}
    return [_as_json(each, deliveries.get(each.carrier) if each.carrier else None, at) for each in recorded]


def _recorded(folded: ReplayedStream) -> Iterator[_RecordedDisclosure]:
    """Yields each disclosure. It directly follows the event that causes the message to the partner."""
    listed = {entry.version for entry in folded.entries if isinstance(entry.event, ReferralListed)}
    for entry in folded.entries:
        event, before = entry.event, entry.version - 1
        if isinstance(event, DisclosureRecorded) and event.direction == "OUT":
            carrier = None if before in listed else outbox_id_of(folded.head.stream_id, before)
            yield _RecordedDisclosure(entry, event, carrier, _delivered_by_hand_at(folded, entry, event))


def _delivered_by_hand_at(
    folded: ReplayedStream, recorded: ReplayedEvent, disclosure: DisclosureRecorded
) -> datetime | None:
    later = (entry for entry in folded.entries if entry.version > recorded.version)
    return next((each.effective_at for each in later if _hands_over(each, disclosure)), None)


def _hands_over(entry: ReplayedEvent, disclosure: DisclosureRecorded) -> bool:
    return isinstance(entry.event, ReferralHandedOver) and entry.event.referral_id == disclosure.referral_id


def _as_json(recorded: _RecordedDisclosure, carrier: Delivery | None, at: datetime | None) -> dict[str, Any]:
    state, disclosed_at = _state_and_time(recorded, carrier, at)
    event = recorded.event
    return {
        "recipient": event.recipient,
        "fields": list(event.fields),
        "consent": event.consent,
        "referral_id": str(event.referral_id) if event.referral_id else None,
        "decided_at": iso_utc(recorded.entry.effective_at),
        "fate": state.value,
        "told_at": iso_utc(disclosed_at) if disclosed_at else None,
        "version": recorded.entry.version,
    }


def _state_and_time(
    recorded: _RecordedDisclosure, carrier: Delivery | None, at: datetime | None
) -> tuple[DisclosureState, datetime | None]:
    """Returns the state of a disclosure, and when the data were disclosed (UTC) if that is known.

    A sheet is issued as soon as its rows are recorded. A message that is not in the outbox may have been delivered.
    """
    if recorded.carrier is None:
        return DisclosureState.TOLD, recorded.entry.effective_at
    if carrier is None:
        return DisclosureState.MAY_KNOW, None
    state = disclosure_state(carrier, at)
    if state is not DisclosureState.TOLD and recorded.delivered_by_hand_at is not None:
        return DisclosureState.TOLD, recorded.delivered_by_hand_at
    return state, carrier.settled_at if state is DisclosureState.TOLD else None


def disclosure_state(carrier: Delivery, at: datetime | None = None) -> DisclosureState:
    """Returns the state of a delivery now, or at a time (UTC); one that was settled later was under way then."""
    settled = at is None or (carrier.settled_at is not None and carrier.settled_at <= at)
    if carrier.status == "delivered":
        return DisclosureState.TOLD if settled else DisclosureState.WAITING
    if carrier.begun_at is not None:
        return DisclosureState.MAY_KNOW
    return (
        DisclosureState.NEVER_LEFT if settled and carrier.status in ("withdrawn", "dead") else DisclosureState.WAITING
    )
