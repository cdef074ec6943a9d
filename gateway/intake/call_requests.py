"""Stores callback requests, each once, as the first message of a small stream of its own."""

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
from gateway.intake.validation import schema_errors, sentence
from store.messages.inbox import IncomingMessage, encode_message, message_id_for, stream_id_for
from store.partners.task_links import next_contact_number
from store.postgres.notifier import INBOX

ANYBODY: Final = "public"
"""Actor of a request that came through the public page, where no person is identified."""


@dataclass(frozen=True, slots=True)
class CallRequestReceipt:
    """Receipt for a callback request: its number, when it was received (UTC), and by when staff must call."""

    number: str
    received_at: datetime
    due: datetime


async def request_call(
    intake: Intake, fields: Mapping[str, Any], *, key: str, user: str | None = None
) -> CallRequestReceipt:
    """Stores a callback request. The same key is stored once, whatever the fields. Raises ``DeclinedError``."""
    if errors := schema_errors(RequestContact, fields):
        raise DeclinedError(
            "invalid-message", sentence(errors, values=True), rule="MESSAGE.INVALID", flaws=tuple(errors)
        )
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
