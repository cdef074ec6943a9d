"""A message that its case could not take in: a rule crashed on it, or what is stored is not what was sealed.

Nobody knows what it would have meant, so it counts against travelling until a person has looked (rule
SIGNAL.RESTRICTS_AT_ONCE). Which message it was, and why it was not taken in, tells nothing of what it says.
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
    """It is on record, and somebody must look: soon, where a flight is near."""
    yield MessageQuarantined(kept_message=kept_message, cause=cause)
    pinned = ctx.policy.pinned
    within = pinned.late_result_review if case.seat is not None else pinned.quarantine_review
    yield task(
        "look at a message that could not be taken in", "CASE_SUPERVISOR", within, ctx, subject=str(kept_message)
    )


def release_message(case: Case, kept_message: UUID) -> Iterator[Event]:
    """It was given to the case once more, and has been decided: the doubt is over."""
    if kept_message in case.doubts:
        yield QuarantinedMessageResolved(kept_message=kept_message, decision="TAKEN")


def resolve_quarantined_message(case: Case, order: ResolveQuarantinedMessage, _ctx: Context) -> Iterator[Event]:
    if order.decision == "SET_ASIDE" and order.kept_message not in case.doubts:
        detail = f"message {order.kept_message} does not wait for a decision"
        raise Rejected("MESSAGE.NOT_IN_QUARANTINE", detail, field="kept_message")
    yield QuarantinedMessageResolved(kept_message=order.kept_message, decision=order.decision, reason=order.reason)
