"""Whose signature it is: every partner's keys, read together and used for at most two seconds.

Known and unknown partners cost the same: no look-up of their own, and as many signatures computed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg

from store.keys import MasterKey
from store.partners import every_key
from store.signing import new_pair, new_secret, verified

FRESH_S: Final = 2.0
"""How long a key may still count after it was revoked."""
NOBODYS: Final = (new_secret(), new_pair()[1])
"""Keys that nobody holds: a partner nobody knows costs as much time as one with a key of either kind."""


class Signers:
    """The partners' keys, as a gateway keeps them."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], master: MasterKey) -> None:
        self._pool, self._master = pool, master
        self._keys: Mapping[str, Sequence[str]] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def signed(self, partner_id: str, headers: Mapping[str, str], content: bytes) -> bool:
        """Whether one of the partner's keys signed this content, under these headers (lower-case names).

        Nobody is turned away for a key that was added a moment ago: before that the keys are read again.
        """
        arrived = time.monotonic()
        keys = await self._since(arrived - FRESH_S)
        if _fits(keys.get(partner_id), headers, content):
            return True
        if self._read_at >= arrived:
            return False
        return _fits((await self._since(arrived)).get(partner_id), headers, content)

    async def _since(self, moment: float) -> Mapping[str, Sequence[str]]:
        """The keys as they were at that moment or later. One reads, the others wait for what it finds."""
        if self._read_at < moment:
            async with self._reading:
                if self._read_at < moment:
                    await self._read()
        return self._keys

    async def _read(self) -> None:
        begun = time.monotonic()
        found = await every_key(self._pool, self._master)
        self._keys = {partner_id: [key.text for key in keys] for partner_id, keys in found.items()}
        self._read_at = begun


def _fits(keys: Sequence[str] | None, headers: Mapping[str, str], content: bytes) -> bool:
    fits = verified(keys or NOBODYS, headers, content, time.time())
    return bool(keys) and fits
