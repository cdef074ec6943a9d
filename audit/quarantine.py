"""Quarantined messages as the person who resolves them needs them: the cause, the possible decisions, related messages.

Results that seem to have been exchanged between two people are shown as a pair (rule QUARANTINE.IDENTITY_MISMATCH).
Nothing is ever copied from one to the other.
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
from domain.signals.handler import identity_mismatch
from domain.signals.unprocessable import UNREADABLE
from store.crypto.keys import KeyStore
from store.log.mapper import TamperedError
from store.messages.inbox import Inbox
from store.messages.quarantine import Quarantine, QuarantinedMessage

MISMATCH: Final = "IDENTITY_MISMATCH"

COMPARED: Final = 50
"""How many messages with an identity mismatch are compared with one another."""


@dataclass(frozen=True, slots=True)
class SubjectComparison:
    """A result with an identity mismatch: the quarantined message, its signal, and the case it was sent to."""

    message: QuarantinedMessage
    signal: ReceivePartnerSignal
    case: Case


def allowed_decisions(message: QuarantinedMessage) -> tuple[str, ...]:
    """Returns the decisions that a person may take.

    If the case has recorded the quarantine, the case decides; otherwise the partner's desk does.
    """
    if message.cause in ("ERASED", UNREADABLE):
        return ("SET_ASIDE",)
    if message.doubted_at is not None and not message.content_unknown:
        return ("AMEND", "IGNORE")
    assigned = () if message.content_unknown or message.kind != "signal" else ("ASSIGN",)
    return (*assigned, "SET_ASIDE", *(("AGAIN",) if message.stream_id else ()))


async def waiting(pool: Pool, keys: KeyStore, partner_id: str | None = None, limit: int = 200) -> list[dict[str, Any]]:
    """Returns the messages that wait for a person's decision, longest wait first, without their content."""
    messages = await Quarantine(pool, keys).doubts(partner_id, limit)
    pairs = await _pairs(pool, keys, messages)
    return [_row(message, pairs.get(message.message_id)) for message in messages]


async def shown(pool: Pool, keys: KeyStore, message_id: UUID) -> dict[str, Any] | None:
    """Returns one message with its content, the message it contradicts, and the one it may be exchanged with."""
    quarantine = Quarantine(pool, keys)
    message = await quarantine.doubt(message_id)
    if message is None:
        return None
    pairs = await _pairs(pool, keys, await quarantine.doubts(message.partner_id))
    other = await quarantine.doubt(pairs[message_id]) if message_id in pairs else None
    return {
        **_row(message, other.message_id if other else None),
        "said": await _content(quarantine, message_id),
        "first": await _first(pool, keys, message),
        "other": None
        if other is None
        else {**_row(other, message_id), "said": await _content(quarantine, other.message_id)},
    }


async def _first(pool: Pool, keys: KeyStore, message: QuarantinedMessage) -> dict[str, Any] | None:
    """Returns the first message under the same id, with its status."""
    if message.contradicts is None:
        return None
    found = await Inbox(pool, keys).result(message.contradicts)
    status = found.status if found else None
    content = await _content(Quarantine(pool, keys), message.contradicts)
    return {"message_id": str(message.contradicts), "status": status, "said": content}


async def _content(quarantine: Quarantine, message_id: UUID) -> dict[str, Any] | None:
    try:
        body = await quarantine.content(message_id)
    except TamperedError:
        return None
    return body["fields"] if body else None


async def _pairs(pool: Pool, keys: KeyStore, messages: Sequence[QuarantinedMessage]) -> dict[UUID, UUID]:
    """Returns pairs of messages of one partner in which each names the person of the other's case."""
    mismatches = [each for each in messages if each.cause == MISMATCH and each.stream_id][:COMPARED]
    found = [one for each in mismatches if (one := await _compared(pool, keys, each))]
    return {one.message.message_id: two.message.message_id for one in found for two in found if _exchanged(one, two)}


async def _compared(pool: Pool, keys: KeyStore, message: QuarantinedMessage) -> SubjectComparison | None:
    content = await _content(Quarantine(pool, keys), message.message_id)
    if content is None or message.stream_id is None:
        return None
    state = (await replay(pool, keys, message.stream_id)).state
    try:
        signal = ReceivePartnerSignal.model_validate(content)
    except ValidationError:
        return None
    return SubjectComparison(message, signal, state) if isinstance(state, Case) else None


def _exchanged(one: SubjectComparison, two: SubjectComparison) -> bool:
    return (
        one.case.id != two.case.id
        and one.message.partner_id == two.message.partner_id
        and one.case.person is not None
        and two.case.person is not None
        and not identity_mismatch(two.case, one.signal)
        and not identity_mismatch(one.case, two.signal)
    )


def _row(message: QuarantinedMessage, pair: UUID | None) -> dict[str, Any]:
    return {
        "message_id": str(message.message_id),
        "kind": message.kind,
        "partner": message.partner_id,
        "source": message.source,
        "number": message.ledger_number,
        "received_at": iso_utc(message.received_at),
        "cause": message.cause,
        "detail": message.detail,
        "case_number": message.number,
        "referral_id": message.referral_id,
        "referral_kind": message.referral_kind,
        "contradicts": str(message.contradicts) if message.contradicts else None,
        "pair": str(pair) if pair else None,
        "may": list(allowed_decisions(message)),
    }
