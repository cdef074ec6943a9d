"""Somebody asks to be called: taken in once, as the first message of a small stream of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from domain.call_request import RequestContact
from domain.kernel.policy import NEWEST
from domain.kernel.working_time import LIBYA
from gateway.intake.service import Intake
from gateway.intake.submission import DeclinedError
from gateway.intake.validation import sentence, unfit
from store.messages.inbox import IncomingMessage, encode_message, message_id_for, stream_id_for
from store.partners.task_links import next_contact_number
from store.postgres.notifier import INBOX

ANYBODY: Final = "public"
"""Who asks by the open page: nobody knows, and nobody is asked."""


@dataclass(frozen=True, slots=True)
class CallRequestReceipt:
    """A request that was taken in: its number, when (UTC), and until when somebody calls."""

    number: str
    received_at: datetime
    due: datetime


async def request_call(
    intake: Intake, fields: Mapping[str, Any], *, key: str, user: str | None = None
) -> CallRequestReceipt:
    """Take in a request to be called. The same key is taken once, whatever comes with it. Raises ``DeclinedError``."""
    if flaws := unfit(RequestContact, fields):
        raise DeclinedError("invalid-message", sentence(flaws), rule="MESSAGE.INVALID", flaws=tuple(flaws))
    actor = f"staff:{user}" if user else ANYBODY
    message_id = message_id_for(f"{actor}/contact", key)
    incoming = IncomingMessage(
        message_id=message_id,
        stream_id=stream_id_for(message_id),
        kind="staff" if user else "system",
        name="contact.request",
        body=encode_message("RequestContact", fields),
        actor=actor,
        source=actor,
    )
    receipt = await intake.inbox.start_stream("contact", await next_contact_number(intake.pool), incoming)
    if receipt.status == "pending":
        intake.notifier.notify(INBOX, receipt.stream_id)
    due = LIBYA.after(receipt.received_at, NEWEST.in_force.contact)
    return CallRequestReceipt(str(receipt.number), receipt.received_at, due)
