"""What waits for a person to decide, as that person needs it: why, what may be done, and what belongs together.

Results that seem to have been exchanged between two people are shown as a pair (domain.md 00, 6). Nothing is ever
copied from one to the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from audit.replay import Pool, iso_utc, replay
from domain.case.aggregate import Case
from domain.commands.signal import ReceivePartnerSignal
from domain.signals.handler import mismatched
from domain.signals.unprocessable import UNREADABLE
from store.crypto.keys import KeyStore
from store.log.mapper import TamperedError
from store.messages.inbox import Inbox
from store.messages.quarantine import Quarantine, QuarantinedMessage

MISMATCH: Final = "IDENTITY_MISMATCH"

COMPARED: Final = 50  # doubts about identity that are held against one another


@dataclass(frozen=True, slots=True)
class SubjectComparison:
    """A doubt about whom a result is of: what was said, and the case it was said to."""

    doubt: QuarantinedMessage
    signal: ReceivePartnerSignal
    case: Case


def may(doubt: QuarantinedMessage) -> tuple[str, ...]:
    """What a person may decide: what its case has recorded is for that case, anything else for the desk."""
    if doubt.cause in ("ERASED", UNREADABLE):
        return ("SET_ASIDE",)
    if doubt.doubted_at is not None and not doubt.in_the_dark:
        return ("AMEND", "IGNORE")
    assigned = () if doubt.in_the_dark or doubt.kind != "signal" else ("ASSIGN",)
    return (*assigned, "SET_ASIDE", *(("AGAIN",) if doubt.stream_id else ()))


async def waiting(pool: Pool, keys: KeyStore, partner_id: str | None = None, limit: int = 200) -> list[dict[str, Any]]:
    """Everything that waits for a person, longest first; nothing of what was said."""
    doubts = await Quarantine(pool, keys).doubts(partner_id, limit)
    pairs = await _pairs(pool, keys, doubts)
    return [_row(doubt, pairs.get(doubt.message_id)) for doubt in doubts]


async def shown(pool: Pool, keys: KeyStore, message_id: UUID) -> dict[str, Any] | None:
    """One of them with what was said, and with what it contradicts or may have been exchanged for."""
    quarantine = Quarantine(pool, keys)
    doubt = await quarantine.doubt(message_id)
    if doubt is None:
        return None
    pairs = await _pairs(pool, keys, await quarantine.doubts(doubt.partner_id))
    other = await quarantine.doubt(pairs[message_id]) if message_id in pairs else None
    return {
        **_row(doubt, other.message_id if other else None),
        "said": await _said(quarantine, message_id),
        "first": await _first(pool, keys, doubt),
        "other": None
        if other is None
        else {**_row(other, message_id), "said": await _said(quarantine, other.message_id)},
    }


async def _first(pool: Pool, keys: KeyStore, doubt: QuarantinedMessage) -> dict[str, Any] | None:
    """What was said first under the same id, and what became of it."""
    if doubt.contradicts is None:
        return None
    found = await Inbox(pool, keys).result(doubt.contradicts)
    status = found.status if found else None
    said = await _said(Quarantine(pool, keys), doubt.contradicts)
    return {"message_id": str(doubt.contradicts), "status": status, "said": said}


async def _said(quarantine: Quarantine, message_id: UUID) -> dict[str, Any] | None:
    try:
        told = await quarantine.said(message_id)
    except TamperedError:
        return None
    return told["fields"] if told else None


async def _pairs(pool: Pool, keys: KeyStore, doubts: Sequence[QuarantinedMessage]) -> dict[UUID, UUID]:
    """Doubts of one partner in which each names the person of the other's case."""
    unsure = [doubt for doubt in doubts if doubt.cause == MISMATCH and doubt.stream_id][:COMPARED]
    found = [one for doubt in unsure if (one := await _compared(pool, keys, doubt))]
    return {one.doubt.message_id: two.doubt.message_id for one in found for two in found if _exchanged(one, two)}


async def _compared(pool: Pool, keys: KeyStore, doubt: QuarantinedMessage) -> SubjectComparison | None:
    said = await _said(Quarantine(pool, keys), doubt.message_id)
    if said is None or doubt.stream_id is None:
        return None
    state = (await replay(pool, keys, doubt.stream_id)).state
    try:
        signal = ReceivePartnerSignal.model_validate(said)
    except ValidationError:
        return None
    return SubjectComparison(doubt, signal, state) if isinstance(state, Case) else None


def _exchanged(one: SubjectComparison, two: SubjectComparison) -> bool:
    return (
        one.case.id != two.case.id
        and one.doubt.partner_id == two.doubt.partner_id
        and one.case.person is not None
        and two.case.person is not None
        and not mismatched(two.case, one.signal)
        and not mismatched(one.case, two.signal)
    )


def _row(doubt: QuarantinedMessage, pair: UUID | None) -> dict[str, Any]:
    return {
        "message_id": str(doubt.message_id),
        "kind": doubt.kind,
        "partner": doubt.partner_id,
        "source": doubt.source,
        "number": doubt.ledger_number,
        "received_at": iso_utc(doubt.received_at),
        "cause": doubt.cause,
        "detail": doubt.detail,
        "case_number": doubt.number,
        "referral_id": doubt.referral_id,
        "referral_kind": doubt.referral_kind,
        "contradicts": str(doubt.contradicts) if doubt.contradicts else None,
        "pair": str(pair) if pair else None,
        "may": list(may(doubt)),
    }
