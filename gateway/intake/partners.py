"""Accepts messages from partners, signed or through a channel that has identified them. Commits, then notifies.

A message is declined only for its signature, size, media type or schema. Everything else is decided in its case.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import asyncpg
from pydantic import AwareDatetime, TypeAdapter

from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.vocabulary import STATEMENTS
from domain.referral.key_scope import OUTSIDE_SCOPE
from gateway.intake.batching import BatchWriter
from gateway.intake.rehearsal import Rehearsal, kind_named, rehearse
from gateway.intake.signature_verifier import SignatureVerifier
from gateway.intake.strict_json import StrictJsonError, parse_object
from gateway.intake.submission import KEY, DeclinedError, SubmissionResult, kept
from gateway.intake.validation import FieldError, schema_errors, sentence
from store.crypto.keys import KeyStore
from store.crypto.webhook_signatures import ID
from store.messages.inbox import encode_message
from store.messages.ledger import Accepted, Ledger, PartnerMessage
from store.messages.receipts import ReceiptKey, ReceiptStatement, publish
from store.messages.referral_tokens import may_say
from store.partners.keys import PartnerKey
from store.partners.registry import get
from store.postgres import clock
from store.postgres.notifier import INBOX, Notifier

log = logging.getLogger("awda.gateway")

SIGNAL_TYPE: Final = "org.iom.vhr.signal.v1"

CLOUD_EVENT: Final = "application/cloudevents+json"

PARTNER_BODY: Final = 64 * 1024  # bytes of a partner's request

PARTNER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")

RECEIVED: Final = "received"
"""The only status that a partner gets for an accepted message, whatever its result."""

_WHEN: Final = TypeAdapter(AwareDatetime)


class PartnerIntake:
    """The part of the intake for messages from partners."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], keys: KeyStore, notifier: Notifier, ledgers: Ledger) -> None:
        self.pool, self.keys, self.notifier = pool, keys, notifier
        self.signature_verifier, self.receipt_key = SignatureVerifier(pool, keys.master), ReceiptKey(keys.master)
        self.batch_writer = BatchWriter(ledgers.accept)
        self._receipt_key_published = False

    async def receive(self, partner_id: str, headers: Mapping[str, str], body: bytes) -> SubmissionResult:
        """Accepts one signed signal. ``headers`` by lower-case name, as received. Raises ``DeclinedError``.

        It is declined only for its signature, size, media type or schema: the answer must not disclose whether a
        referral exists, or whose it is.
        """
        return await self.accept(
            partner_id, headers[ID], *await self.verify_event(partner_id, headers, body), sent=body
        )

    async def accept(
        self,
        partner_id: str,
        key: str,
        by: Iterable[PartnerKey],
        fields: Mapping[str, Any],
        *,
        sent: bytes | None = None,
    ) -> SubmissionResult:
        """Accepts a signal that these keys signed. If none of them may send it, it is quarantined."""
        permitted = await may_say(self.pool, self.keys, by, fields)
        signal = _signal(partner_id, key, fields, sent=sent)
        return await self._store(signal if permitted else replace(signal, barred=OUTSIDE_SCOPE))

    async def rehearse(
        self, partner_id: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[tuple[PartnerKey, ...], Rehearsal]:
        """Returns the keys that signed an event, and the result of its rehearsal. Raises ``DeclinedError``."""
        by, fields = await self.verify_event(partner_id, headers, body)
        partner, now = await get(self.pool, partner_id), await clock.now(self.pool)
        received, scopes = partner.kinds if partner else frozenset(), [key.scope for key in by]
        return by, rehearse(fields, named=kind_named(body), received=received, scopes=scopes, now=now)

    async def verify_event(
        self, partner_id: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[tuple[PartnerKey, ...], dict[str, Any]]:
        """Returns the keys that signed an event, and its signal's fields. Raises ``DeclinedError``."""
        if len(body) > PARTNER_BODY:
            raise DeclinedError("too-large", f"The body may have at most {PARTNER_BODY} bytes.")
        if headers.get("content-type", "").split(";")[0].strip().lower() != CLOUD_EVENT:
            raise DeclinedError(
                "media-type", f"Send one CloudEvent in structured mode, with the content type {CLOUD_EVENT}."
            )
        by = await self.authenticate(partner_id, headers, body)
        return by, _signal_fields(partner_id, headers[ID], body)

    async def submit(
        self,
        partner_id: str,
        key: str,
        fields: Mapping[str, Any],
        *,
        actor: str | None = None,
        source: str | None = None,
    ) -> SubmissionResult:
        """Accepts a partner's answer through another channel (link, sheet, other format). Raises ``DeclinedError``.

        The caller has authenticated the partner. ``key`` identifies the answer within its ``source``, so that
        submitting it again has no further effect; ``actor`` is the user who entered it.
        """
        signal = {"partner_id": partner_id, **fields}
        errors = schema_errors(ReceivePartnerSignal, signal)
        if signal["partner_id"] != partner_id:
            errors.append(FieldError("/partner_id", "partner.other", "Partner id must be the partner that answers"))
        if errors or not KEY.fullmatch(key):
            detail = sentence(errors) or "The key must have 1 to 255 visible ASCII characters."
            raise DeclinedError("shape", detail, flaws=tuple(errors))
        return await self._store(_signal(partner_id, key, signal, actor=actor, source=source))

    async def authenticate(self, partner_id: str, headers: Mapping[str, str], content: bytes) -> tuple[PartnerKey, ...]:
        """Returns the partner's keys that signed this. Raises the same ``DeclinedError`` whatever the reason is."""
        named = partner_id if PARTNER.fullmatch(partner_id) else ""
        by = await self.signature_verifier.of(named, headers, content)
        if not by:
            log.warning("message rejected: it is not signed with a key of the partner it names")
            raise DeclinedError(
                "signature",
                "The signature, its timestamp or the sender was not accepted. Check key, clock and the exact bytes.",
            )
        await self.signature_verifier.notice(by)
        return by

    async def _store(self, signal: PartnerMessage) -> SubmissionResult:
        """Stores a partner's message, notifies its case, and returns a receipt, whatever the message is about."""
        accepted = await self.batch_writer.put(signal)
        if accepted.conflicting:
            await self._store_contradiction(signal, accepted)
            raise DeclinedError(
                "id-reused", "This id was already used for another message. Send a new message under a new id."
            )
        self._notify(accepted)
        await self.publish_key()
        return SubmissionResult(
            message_id=accepted.message_id,
            status=accepted.status,
            receipt=self._receipt(signal, accepted),
            received_at=accepted.received_at,
            result=accepted.result or {},
            settled=accepted.status != "pending",
            repeated=accepted.repeated,
            ledger_number=accepted.number,
        )

    async def publish_key(self) -> None:
        """Publishes the key with which receipts are verified, before the first receipt is issued."""
        if not self._receipt_key_published:
            await publish(self.pool, self.receipt_key)
            self._receipt_key_published = True

    async def _store_contradiction(self, signal: PartnerMessage, accepted: Accepted) -> None:
        """Stores a second body under a used id. It is not acknowledged, but what it restricts takes effect."""
        body = encode_message("ReceiveContradiction", json.loads(signal.body)["fields"])
        stored = await self.batch_writer.put(replace(signal, body=body, contradicts=accepted.message_id))
        log.warning("message %s contradicts %s and is held for review", stored.message_id, accepted.message_id)
        self._notify(stored)

    def _notify(self, accepted: Accepted) -> None:
        if accepted.stream_id and accepted.status == "pending":
            self.notifier.notify(INBOX, accepted.stream_id)
        elif accepted.status == "quarantined" and not accepted.repeated:
            log.warning("message %s is quarantined: %s", accepted.message_id, (accepted.result or {}).get("cause"))

    def _receipt(self, signal: PartnerMessage, accepted: Accepted) -> str:
        if accepted.number is None or accepted.ledger is None:
            return str(accepted.message_id)
        about = (
            signal.partner_id,
            signal.own_id,
            signal.sha256,
            accepted.received_at,
            accepted.number,
            accepted.ledger,
        )
        return self.receipt_key.sign(ReceiptStatement(*about))


def _signal(
    partner_id: str,
    key: str,
    fields: Mapping[str, Any],
    *,
    sent: bytes | None = None,
    actor: str | None = None,
    source: str | None = None,
) -> PartnerMessage:
    """Returns a signal as it is stored. ``sent`` are the exact bytes received; other channels have the body instead."""
    body, partner = encode_message("ReceivePartnerSignal", fields), f"partner:{partner_id}"
    return PartnerMessage(
        partner_id=partner_id,
        own_id=key,
        token=fields["referral_token"],
        body=body,
        sent=body if sent is None else sent,
        actor=actor or partner,
        source=source or partner,
        claimed_at=_claimed(str(fields["occurred_at"])),
        statement=fields["signal_type"] in STATEMENTS,
    )


def _claimed(text: str) -> datetime | None:
    """Returns the partner's time if it can be stored. A wrong clock never loses a message."""
    return kept(_WHEN.validate_python(text))


def _signal_fields(partner_id: str, message_id: str, body: bytes) -> dict[str, Any]:
    """Returns the fields of the signal in a CloudEvent. Raises ``DeclinedError`` if its schema does not match."""
    try:
        event = parse_object(body)
    except StrictJsonError as error:
        raise DeclinedError("shape", f"{error}.", flaws=(FieldError("", "json", str(error)),)) from None
    data = event.get("data")
    errors = _envelope_errors(event, partner_id, message_id)
    if isinstance(data, dict):
        data = {**data, "partner_id": data.get("partner_id", partner_id)}
        errors += schema_errors(ReceivePartnerSignal, data, "/data", parsed_strictly=True)
        if data["partner_id"] != partner_id:
            errors.append(FieldError("/data/partner_id", "partner.other", "Partner id must be the partner that signed"))
    if errors or not isinstance(data, dict):
        raise DeclinedError("shape", sentence(errors), flaws=tuple(errors))
    return data


def _envelope_errors(event: Mapping[str, Any], partner_id: str, message_id: str) -> list[FieldError]:
    required = {"specversion": "1.0", "id": message_id, "source": source_of(partner_id), "type": SIGNAL_TYPE}
    errors = [
        FieldError(f"/{name}", "cloudevent", f"The event's {name} must be {value}")
        for name, value in required.items()
        if event.get(name) != value
    ]
    if not isinstance(event.get("data"), dict):
        errors.append(FieldError("/data", "cloudevent", "The event's data must be an object with the signal's fields"))
    if event.get("datacontenttype", "application/json") != "application/json":
        errors.append(
            FieldError("/datacontenttype", "cloudevent", "The event's datacontenttype must be application/json")
        )
    return errors


def source_of(partner_id: str) -> str:
    """Returns the ``source`` of a partner's CloudEvents."""
    return f"awda:partner:{partner_id}"
