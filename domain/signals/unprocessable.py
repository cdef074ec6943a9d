"""Messages that could not be processed: a rule failed with an error, or the stored body could not be decrypted intact.

Their effect is unknown, so they count against travel until a person has reviewed them (rule SIGNAL.RESTRICTS_AT_ONCE).
The recorded id and cause reveal nothing about the content.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from domain.case.aggregate import Case
from domain.clearance.actions import task
from domain.commands.signal import ResolveQuarantinedMessage
from domain.events.signal import MessageQuarantined, QuarantinedMessageResolved
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event

CRASHED: Final = "RULE_CRASHED"

UNREADABLE: Final = "UNREADABLE_BODY"


def quarantine_message(case: Case, kept_message: UUID, cause: str, ctx: Context) -> Iterator[Event]:
    """Records the message as quarantined and raises a task to review it, urgently if the person has a seat."""
    yield MessageQuarantined(kept_message=kept_message, cause=cause)
    pinned = ctx.policy.pinned
    within = pinned.late_result_review if case.seat is not None else pinned.quarantine_review
    yield task(
        "look at a message that could not be taken in", "CASE_SUPERVISOR", within, ctx, subject=str(kept_message)
    )


def release_message(case: Case, kept_message: UUID) -> Iterator[Event]:
    """Records that a quarantined message was processed after all."""
    if kept_message in case.doubts:
        yield QuarantinedMessageResolved(kept_message=kept_message, decision="TAKEN")


def resolve_quarantined_message(case: Case, order: ResolveQuarantinedMessage, _ctx: Context) -> Iterator[Event]:
    """Records the decision on a quarantined message."""
    if order.decision == "SET_ASIDE" and order.kept_message not in case.doubts:
        detail = f"message {order.kept_message} is not in quarantine, or has been decided; check the message id"
        raise Rejected("MESSAGE.NOT_IN_QUARANTINE", detail, field="kept_message")
    yield QuarantinedMessageResolved(kept_message=order.kept_message, decision=order.decision, reason=order.reason)
