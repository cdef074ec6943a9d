"""Verifies partners' signatures with the keys of all partners, which are read together and cached for two seconds.

Known and unknown partners take the same time: neither has a look-up of its own, and as many signatures are computed.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg

from store.crypto.keys import MasterKey
from store.partners.keys import USE_RECORDED_EVERY, PartnerKey, keys_by_partner, notice, signers

FRESH_S: Final = 2.0
"""How long a key may still be accepted after it was revoked, in seconds."""


class SignatureVerifier:
    """A cache of all partners' keys."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], master: MasterKey) -> None:
        self._pool, self._master = pool, master
        self._keys: Mapping[str, Sequence[PartnerKey]] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._noticed: dict[str, float] = {}

    async def of(self, partner_id: str, headers: Mapping[str, str], content: bytes) -> tuple[PartnerKey, ...]:
        """Returns the partner's keys that signed this content, under these headers (lower-case names).

        Before a signature is rejected the keys are read again, so that a key that was just added is accepted.
        """
        arrived = time.monotonic()
        keys = await self._since(arrived - FRESH_S)
        by = signers(keys.get(partner_id, ()), headers, content, time.time())
        if by or self._read_at >= arrived:
            return by
        keys = await self._since(arrived)
        return signers(keys.get(partner_id, ()), headers, content, time.time())

    async def notice(self, by: Sequence[PartnerKey]) -> None:
        """Records that these keys are in use, with at most one statement per hour and key."""
        now = time.monotonic()
        due = [key for key in by if now - self._noticed.get(key.key_id, -math.inf) > USE_RECORDED_EVERY.total_seconds()]
        if due:
            self._noticed |= dict.fromkeys((key.key_id for key in due), now)
            await notice(self._pool, due)

    async def _since(self, moment: float) -> Mapping[str, Sequence[PartnerKey]]:
        """Returns the keys as of that moment (monotonic seconds) or later. One caller reads; the others wait for it."""
        if self._read_at < moment:
            async with self._reading:
                if self._read_at < moment:
                    await self._read()
        return self._keys

    async def _read(self) -> None:
        begun = time.monotonic()
        self._keys, self._read_at = await keys_by_partner(self._pool, self._master), begun
