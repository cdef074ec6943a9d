"""Whether a message to a partner may leave now: its case, folded as it stands at this moment, is asked again.

Between a decision and its delivery lie seconds or days, in which somebody may have withdrawn, or be afraid. Who brings
a message by hand asks here as well, before anything is shown or printed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg

from domain.case.aggregate import Case
from domain.referral.notifications import ENDING, may_be_delivered
from store.crypto.keys import Keyring, KeyStore
from store.log.repository import LoadedStream, Repository
from store.messages.outbox import Delivery, Outbox

LOOKS: Final = 50

LOOK_EVERY_S: Final = 0.1


class Verdict(StrEnum):
    GO = "GO"
    BEHIND = "BEHIND"
    """Something earlier of the same referral is not settled."""
    HELD = "HELD"
    """Not as the case stands; that may change."""
    WITHDRAWN = "WITHDRAWN"
    """Never again."""


@dataclass(frozen=True, slots=True)
class ReleaseDecision:
    """What was decided, on which revision of the case, and what the partner was to be told of the referral before."""

    verdict: Verdict
    revision: int
    keyring: Keyring
    earlier: Sequence[Delivery]


class ReleaseCheck:
    """Asks cases for leave."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], keys: KeyStore) -> None:
        self.repository, self.outbox = Repository(pool, keys), Outbox(pool)

    async def ask(self, delivery: Delivery) -> ReleaseDecision:
        """Whether it may leave. What has been said to the case and is not recorded yet is waited for."""
        loaded = await self._load_when_decided(delivery.stream_id)
        earlier, case, head = await self.outbox.earlier(delivery), _case(loaded), loaded.snapshot.head
        verdict = Verdict.HELD if case is None else judge(case, delivery, earlier, loaded.snapshot.now)
        return ReleaseDecision(verdict, head.revision if head else 0, loaded.keyring, earlier)

    async def _load_when_decided(self, stream_id: UUID) -> LoadedStream:
        loaded = await self.repository.load(stream_id, limit=1)
        for _ in range(LOOKS):
            if not loaded.snapshot.waiting:
                break
            await asyncio.sleep(LOOK_EVERY_S)
            loaded = await self.repository.load(stream_id, limit=1)
        return loaded


def _case(loaded: LoadedStream) -> Case | None:
    """Returns the case, or ``None`` while a message waits or a row cannot be read: then nothing is released."""
    if loaded.snapshot.waiting or loaded.unreadable:
        return None
    case = loaded.aggregate()
    return case if isinstance(case, Case) else None


def judge(case: Case, delivery: Delivery, earlier: Sequence[Delivery], at: datetime) -> Verdict:
    """In turn, known from the beginning, and as the case allows."""
    if any(before.status == "pending" for before in earlier):
        return Verdict.BEHIND
    if delivery.referral_id is None:
        return Verdict.HELD
    referral_id = UUID(delivery.referral_id)
    if _never_heard_of(case, referral_id, earlier):
        return Verdict.WITHDRAWN  # whoever never heard of a referral need not hear of its end
    if may_be_delivered(case, delivery.name, referral_id, at):
        return Verdict.GO
    referral = case.referrals.get(referral_id)
    over = referral is not None and referral.over and delivery.name != ENDING
    return Verdict.WITHDRAWN if over else Verdict.HELD


def _never_heard_of(case: Case, referral_id: UUID, earlier: Sequence[Delivery]) -> bool:
    """Nothing of it can have reached the partner by our deliveries, and nothing says that it knows all the same."""
    referral = case.referrals.get(referral_id)
    if referral is not None and referral.known:
        return False
    return bool(earlier) and all(before.status == "withdrawn" and before.begun_at is None for before in earlier)
