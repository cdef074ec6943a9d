"""How a partner's own system sends what it has to say: signed, under one id, again and again until it is acknowledged.

What it was answered it writes down for itself, where nobody of the programme can change it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2

from simulator.seeded_random import seeded_random
from store.crypto.webhook_signatures import sign

log = logging.getLogger("awda.simulator")

SCHEDULE_S: Final = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Pauses between ten tries, over 75 hours and a half (Standard Webhooks 1.0)."""

AT_ONCE: Final = 8
"""Connections of one partner's system."""

RESTS: Final = 60
"""How often one attempt waits as long as it is asked to, before it counts as failed."""

CLOUD_EVENT: Final = "application/cloudevents+json"


class SignalNotAcceptedError(Exception):
    """The gateway did not take a signal."""


@dataclass(frozen=True)
class SendResult:
    """What one attempt was answered: a status, or the kind of fault; with the receipt if it was acknowledged."""

    status: int | str
    receipt: str | None = None
    rest_s: int = 0
    """How long the gateway asks to be left alone, before the same comes again."""

    @property
    def taken(self) -> bool:
        return isinstance(self.status, int) and httpx2.codes.is_success(self.status)


@dataclass
class SignalLog:
    """The partner's own list of what it sent and what it was answered, one line of JSON an attempt."""

    file: Path | None = None

    def note(self, partner_id: str, message_id: str, body: bytes, told: SendResult) -> None:
        if self.file is None:
            return
        line = {
            "at": datetime.now(UTC).isoformat(),
            "partner": partner_id,
            "id": message_id,
            "sha256": hashlib.sha256(body).hexdigest(),
            "status": told.status,
            "receipt": told.receipt,
        }
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


@dataclass
class SignalSender:
    """Sends for the partners of one process. ``hurry``: how many times shorter than in the standard pauses are."""

    gateway: str
    secrets: Mapping[str, str] = field(repr=False)
    log: SignalLog = field(default_factory=SignalLog)
    hurry: float = 1.0
    http: httpx2.AsyncClient = field(default_factory=lambda: httpx2.AsyncClient(timeout=30.0, trust_env=False))
    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def once(self, partner_id: str, event: Mapping[str, Any], ahead_s: float = 0.0) -> SendResult:
        """One attempt, after every rest that the gateway asks for: being too quick is no failure.

        ``ahead_s``: how far ahead of the time the clock is by which it is signed.
        """
        rolls = seeded_random(partner_id, event["id"], "rests")
        for _ in range(RESTS):
            told = await self._send(partner_id, event, ahead_s)
            if not told.rest_s:
                return told
            await asyncio.sleep(told.rest_s * rolls.uniform(1.0, 1.1))
        return await self._send(partner_id, event, ahead_s)

    async def _send(self, partner_id: str, event: Mapping[str, Any], ahead_s: float) -> SendResult:
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        signature = sign(self.secrets[partner_id], event["id"], int(time.time() + ahead_s), body)
        url, headers = f"{self.gateway}/api/v1/inbox/{partner_id}", {**signature, "content-type": CLOUD_EVENT}
        try:
            async with self.at_once:
                told = _told(await self.http.post(url, content=body, headers=headers))
        except httpx2.HTTPError as fault:
            told = SendResult(type(fault).__name__)
        self.log.note(partner_id, event["id"], body, told)
        return told

    async def until_taken(self, partner_id: str, event: Mapping[str, Any], ahead_s: float = 0.0) -> SendResult:
        """Attempts under the same id until one is acknowledged, or all ten have failed."""
        rolls = seeded_random(partner_id, event["id"])
        for pause in SCHEDULE_S:
            told = await self.once(partner_id, event, ahead_s)
            if told.taken:
                return told
            await asyncio.sleep(pause / self.hurry * rolls.uniform(0.9, 1.1))
        told = await self.once(partner_id, event, ahead_s)
        if not told.taken:
            log.warning("%s gives up a signal after %d tries", partner_id, len(SCHEDULE_S) + 1)
        return told


def _told(answer: httpx2.Response) -> SendResult:
    if answer.status_code == httpx2.codes.TOO_MANY_REQUESTS:
        asked = answer.headers.get("retry-after", "")
        return SendResult(answer.status_code, rest_s=int(asked) if asked.isascii() and asked.isdigit() else 0)
    if not answer.is_success:
        return SendResult(answer.status_code)
    return SendResult(answer.status_code, str(answer.json()["receipt"]))
