"""Taking in from partners, under a signature or through a door that knows them. Committed, then rung for.

Only signature, size, media type and shape can be declined; whatever else a message is worth is decided in its case.
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
from gateway.intake.signature_verifier import SignatureVerifier
from gateway.intake.strict_json import StrictJsonError, parse_object
from gateway.intake.submission import KEY, DeclinedError, SubmissionResult, kept
from gateway.intake.validation import FieldError, sentence, unfit
from store.crypto.keys import KeyStore
from store.crypto.webhook_signatures import ID
from store.messages.inbox import encode_message
from store.messages.ledger import Accepted, Ledger, PartnerMessage
from store.messages.receipts import ReceiptKey, ReceiptStatement, publish
from store.messages.referral_tokens import may_say
from store.partners.keys import PartnerKey
from store.postgres.notifier import INBOX, Notifier

log = logging.getLogger("awda.gateway")

SIGNAL_TYPE: Final = "org.iom.vhr.signal.v1"

CLOUD_EVENT: Final = "application/cloudevents+json"

PARTNER_BODY: Final = 64 * 1024

PARTNER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")

RECEIVED: Final = "received"
"""All that a partner is told about a message that was taken in, whatever became of it."""

_WHEN: Final = TypeAdapter(AwareDatetime)


class PartnerIntake:
    """The side of the desk where partners hand messages in."""

    pool: asyncpg.Pool[asyncpg.Record]
    keys: KeyStore
    notifier: Notifier
    ledgers: Ledger
    signers: SignatureVerifier
    receipt_key: ReceiptKey
    gathering: BatchWriter
    _key_is_known: bool

    async def receive(self, partner_id: str, headers: Mapping[str, str], body: bytes) -> SubmissionResult:
        """Take in one signed completion signal. ``headers`` by lower-case name, as received. Raises ``DeclinedError``.

        Only signature, size, media type and shape can be declined: whose referral it is, and whether there is one,
        a partner learns from nobody.
        """
        return await self.take(partner_id, headers[ID], *await self.hear(partner_id, headers, body), sent=body)

    async def take(
        self,
        partner_id: str,
        key: str,
        by: Iterable[PartnerKey],
        fields: Mapping[str, Any],
        *,
        sent: bytes | None = None,
    ) -> SubmissionResult:
        """Take in what a partner said under some of its keys, or set it aside if none of them is for that."""
        may = await may_say(self.pool, self.keys, by, fields)
        signal = _signal(partner_id, key, fields, sent=sent)
        return await self._keep_signal(signal if may else replace(signal, barred=OUTSIDE_SCOPE))

    async def hear(
        self, partner_id: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[tuple[PartnerKey, ...], dict[str, Any]]:
        """What a partner says, and the keys that signed it. Raises ``DeclinedError``."""
        if len(body) > PARTNER_BODY:
            raise DeclinedError("too-large", f"a message may have {PARTNER_BODY} bytes")
        if headers.get("content-type", "").split(";")[0].strip().lower() != CLOUD_EVENT:
            raise DeclinedError("media-type", f"one CloudEvent in structured mode, {CLOUD_EVENT}, is taken here")
        by = await self.authenticate(partner_id, headers, body)
        return by, _signal_fields(partner_id, headers[ID], body)

    async def signal(
        self,
        partner_id: str,
        key: str,
        fields: Mapping[str, Any],
        *,
        actor: str | None = None,
        source: str | None = None,
    ) -> SubmissionResult:
        """A partner's answer through any other door: a link, a sheet, another format. Raises ``DeclinedError``.

        Whoever calls has made sure that it is the partner's. ``key`` tells this answer from every other of its
        ``source``, so that handing it in twice does nothing twice; ``actor`` is who typed it.
        """
        told = {"partner_id": partner_id, **fields}
        flaws = unfit(ReceivePartnerSignal, told)
        if told["partner_id"] != partner_id:
            flaws.append(FieldError("/partner_id", "partner.other", "it is not the partner whose answer it is"))
        if flaws or not KEY.fullmatch(key):
            said = sentence(flaws) or "a key has 1 to 255 visible ASCII characters"
            raise DeclinedError("shape", said, flaws=tuple(flaws))
        return await self._keep_signal(_signal(partner_id, key, told, actor=actor, source=source))

    async def authenticate(self, partner_id: str, headers: Mapping[str, str], content: bytes) -> tuple[PartnerKey, ...]:
        """The keys of the partner that signed this. Raises ``DeclinedError``, alike for whatever does not fit."""
        named = partner_id if PARTNER.fullmatch(partner_id) else ""
        by = await self.signers.of(named, headers, content)
        if not by:
            log.warning("a message was turned away: its signature is not one of the partner it names")
            raise DeclinedError("signature", "the signature, its time or its sender cannot be accepted")
        await self.signers.notice(by)
        return by

    async def _keep_signal(self, signal: PartnerMessage) -> SubmissionResult:
        """Keep a partner's message, ring for it, and answer with its receipt, whatever it is about."""
        taken = await self.gathering.put(signal)
        if taken.conflicting:
            await self._keep_contradiction(signal, taken)
            raise DeclinedError(
                "id-reused", "this id was used before, for another message: a new message needs a new id"
            )
        self._ring(taken)
        await self.publish_key()
        return SubmissionResult(
            message_id=taken.message_id,
            status=taken.status,
            receipt=self._receipt(signal, taken),
            received_at=taken.received_at,
            result=taken.result or {},
            settled=taken.status != "pending",
            repeated=taken.repeated,
            ledger_number=taken.number,
        )

    async def publish_key(self) -> None:
        """Let partners know the key by which they check receipts, before the first is given."""
        if not self._key_is_known:
            await publish(self.pool, self.receipt_key)
            self._key_is_known = True

    async def _keep_contradiction(self, signal: PartnerMessage, taken: Accepted) -> None:
        """The same id with another body is not acknowledged; it is kept, and counts for what it restricts."""
        body = encode_message("ReceiveContradiction", json.loads(signal.body)["fields"])
        kept = await self.gathering.put(replace(signal, body=body, contradicts=taken.message_id))
        log.warning("message %s contradicts %s and waits for a person", kept.message_id, taken.message_id)
        self._ring(kept)

    def _ring(self, taken: Accepted) -> None:
        if taken.stream_id and taken.status == "pending":
            self.notifier.notify(INBOX, taken.stream_id)
        elif taken.status == "quarantined" and not taken.repeated:
            log.warning("message %s is quarantined: %s", taken.message_id, (taken.result or {}).get("cause"))

    def _receipt(self, signal: PartnerMessage, taken: Accepted) -> str:
        if taken.number is None or taken.ledger is None:
            return str(taken.message_id)
        about = (signal.partner_id, signal.own_id, signal.sha256, taken.received_at, taken.number, taken.ledger)
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
    """A signal as it is kept. ``sent`` is what came in, to the byte; through other doors, what it amounts to."""
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
    """A partner's time, if a clock can have shown it. A clock that is wrong loses nothing."""
    return kept(_WHEN.validate_python(text))


def _signal_fields(partner_id: str, message_id: str, body: bytes) -> dict[str, Any]:
    """The fields of the signal in a CloudEvent. Raises ``DeclinedError`` for any other shape."""
    try:
        event = parse_object(body)
    except StrictJsonError as why:
        raise DeclinedError("shape", str(why), flaws=(FieldError("", "json", str(why)),)) from None
    data = event.get("data")
    flaws = [*_envelope_flaws(event, partner_id, message_id)]
    if isinstance(data, dict):
        data = {**data, "partner_id": data.get("partner_id", partner_id)}
        flaws += unfit(ReceivePartnerSignal, data, "/data", sound=True)
        if data["partner_id"] != partner_id:
            flaws.append(FieldError("/data/partner_id", "partner.other", "it is not the partner who signed"))
    if flaws or not isinstance(data, dict):
        raise DeclinedError("shape", sentence(flaws), flaws=tuple(flaws))
    return data


def _envelope_flaws(event: Mapping[str, Any], partner_id: str, message_id: str) -> list[FieldError]:
    wanted = {"specversion": "1.0", "id": message_id, "source": source_of(partner_id), "type": SIGNAL_TYPE}
    flaws = [
        FieldError(f"/{name}", "cloudevent", f"it must be {value!r}")
        for name, value in wanted.items()
        if event.get(name) != value
    ]
    if not isinstance(event.get("data"), dict):
        flaws.append(FieldError("/data", "cloudevent", "it must be an object with the signal's fields"))
    if event.get("datacontenttype", "application/json") != "application/json":
        flaws.append(FieldError("/datacontenttype", "cloudevent", "it must be 'application/json'"))
    return flaws


def source_of(partner_id: str) -> str:
    """The ``source`` under which a partner sends its CloudEvents."""
    return f"awda:partner:{partner_id}"
