"""The sending side of a partner's system: signed signals, repeated under one id until they are acknowledged.

The partner keeps its own log of the responses, which Awda cannot change; tests compare it with Awda's ledgers.
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
"""Pauses between ten attempts (seconds), 75.5 hours in total (Standard Webhooks 1.0)."""

CONNECTIONS: Final = 8
"""How many connections one partner's system opens."""

RESTS: Final = 60
"""How often one attempt waits as ``Retry-After`` says, before it counts as failed."""

CLOUD_EVENT: Final = "application/cloudevents+json"


class SignalNotAcceptedError(Exception):
    """The gateway did not accept a signal."""


@dataclass(frozen=True)
class SendResult:
    """The result of one attempt: the HTTP status or the name of the error, and the receipt if acknowledged."""

    status: int | str
    receipt: str | None = None
    rest_s: int = 0
    """How long the gateway asks the partner to wait before it sends the signal again (seconds)."""

    @property
    def taken(self) -> bool:
        return isinstance(self.status, int) and httpx2.codes.is_success(self.status)


@dataclass
class SignalLog:
    """The partner's own log of signals and responses, one line of JSON for each attempt."""

    file: Path | None = None

    def note(self, partner_id: str, message_id: str, body: bytes, result: SendResult) -> None:
        if self.file is None:
            return
        line = {
            "at": datetime.now(UTC).isoformat(),
            "partner": partner_id,
            "id": message_id,
            "sha256": hashlib.sha256(body).hexdigest(),
            "status": result.status,
            "receipt": result.receipt,
        }
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


@dataclass
class SignalSender:
    """Sends for the partners of one process. ``hurry``: the factor by which pauses are shorter than the standard's."""

    gateway: str
    secrets: Mapping[str, str] = field(repr=False)
    log: SignalLog = field(default_factory=SignalLog)
    hurry: float = 1.0
    http: httpx2.AsyncClient = field(default_factory=lambda: httpx2.AsyncClient(timeout=30.0, trust_env=False))
    connections: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONNECTIONS))

    async def once(self, partner_id: str, event: Mapping[str, Any], ahead_s: float = 0.0) -> SendResult:
        """Makes one attempt. A response 429 with ``Retry-After`` is waited for and does not count as a failure.

        ``ahead_s``: how far the clock of the signing system is ahead (seconds).
        """
        rolls = seeded_random(partner_id, event["id"], "rests")
        for _ in range(RESTS):
            result = await self._send(partner_id, event, ahead_s)
            if not result.rest_s:
                return result
            await asyncio.sleep(result.rest_s * rolls.uniform(1.0, 1.1))
        return await self._send(partner_id, event, ahead_s)

    async def _send(self, partner_id: str, event: Mapping[str, Any], ahead_s: float) -> SendResult:
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        signature = sign(self.secrets[partner_id], event["id"], int(time.time() + ahead_s), body)
        url, headers = f"{self.gateway}/api/v1/inbox/{partner_id}", {**signature, "content-type": CLOUD_EVENT}
        try:
            async with self.connections:
                result = _result(await self.http.post(url, content=body, headers=headers))
        except httpx2.HTTPError as error:
            result = SendResult(type(error).__name__)
        self.log.note(partner_id, event["id"], body, result)
        return result

    async def until_taken(self, partner_id: str, event: Mapping[str, Any], ahead_s: float = 0.0) -> SendResult:
        """Repeats the attempt under the same id until it is acknowledged, or until ten attempts have failed."""
        rolls = seeded_random(partner_id, event["id"])
        for pause in SCHEDULE_S:
            result = await self.once(partner_id, event, ahead_s)
            if result.taken:
                return result
            await asyncio.sleep(pause / self.hurry * rolls.uniform(0.9, 1.1))
        result = await self.once(partner_id, event, ahead_s)
        if not result.taken:
            log.warning("%s gives up on a signal after %d attempts", partner_id, len(SCHEDULE_S) + 1)
        return result


def _result(response: httpx2.Response) -> SendResult:
    if response.status_code == httpx2.codes.TOO_MANY_REQUESTS:
        seconds = response.headers.get("retry-after", "")
        return SendResult(response.status_code, rest_s=int(seconds) if seconds.isascii() and seconds.isdigit() else 0)
    if not response.is_success:
        return SendResult(response.status_code)
    return SendResult(response.status_code, str(response.json()["receipt"]))
