"""The release check: whether a message to a partner may be sent now, decided on the current state of its case.

Seconds or days pass between a decision and its delivery; meanwhile the person may have withdrawn or expressed fear.
Manual delivery makes the same check before anything is shown or printed.
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

POLLS: Final = 50

POLL_S: Final = 0.1


class Verdict(StrEnum):
    GO = "GO"
    BEHIND = "BEHIND"
    """An earlier message of the same referral is not settled."""
    HELD = "HELD"
    """Not in the current state of the case; this may change."""
    WITHDRAWN = "WITHDRAWN"
    """Permanently: the message must never be sent."""


@dataclass(frozen=True, slots=True)
class ReleaseDecision:
    """A verdict, the revision of the case it is based on, and the earlier messages of the referral to the partner."""

    verdict: Verdict
    revision: int
    keyring: Keyring
    earlier: Sequence[Delivery]


class ReleaseCheck:
    """Decides whether messages may be released."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], keys: KeyStore) -> None:
        self.repository, self.outbox = Repository(pool, keys), Outbox(pool)

    async def check(self, delivery: Delivery) -> ReleaseDecision:
        """Decides on one delivery. Waits up to 5 seconds for pending messages of the case to be recorded."""
        loaded = await self._load_when_decided(delivery.stream_id)
        earlier, case, head = await self.outbox.earlier(delivery), _case(loaded), loaded.snapshot.head
        verdict = Verdict.HELD if case is None else judge(case, delivery, earlier, loaded.snapshot.now)
        return ReleaseDecision(verdict, head.revision if head else 0, loaded.keyring, earlier)

    async def _load_when_decided(self, stream_id: UUID) -> LoadedStream:
        loaded = await self.repository.load(stream_id, limit=1)
        for _ in range(POLLS):
            if not loaded.snapshot.waiting:
                break
            await asyncio.sleep(POLL_S)
            loaded = await self.repository.load(stream_id, limit=1)
        return loaded


def _case(loaded: LoadedStream) -> Case | None:
    """Returns the case; ``None`` if a message is pending or a row cannot be read, because then nothing is released."""
    if loaded.snapshot.waiting or loaded.unreadable:
        return None
    case = loaded.aggregate()
    return case if isinstance(case, Case) else None


def judge(case: Case, delivery: Delivery, earlier: Sequence[Delivery], at: datetime) -> Verdict:
    """Returns the verdict: released in order, only if the partner knows the referral, and if the case permits it."""
    if any(before.status == "pending" for before in earlier):
        return Verdict.BEHIND
    if delivery.referral_id is None:
        return Verdict.HELD
    referral_id = UUID(delivery.referral_id)
    if _unknown_to_partner(case, referral_id, earlier):
        return Verdict.WITHDRAWN  # a partner that does not know the referral must not learn of its end
    if may_be_delivered(case, delivery.name, referral_id, at):
        return Verdict.GO
    referral = case.referrals.get(referral_id)
    ended = referral is not None and referral.over and delivery.name != ENDING
    return Verdict.WITHDRAWN if ended else Verdict.HELD


def _unknown_to_partner(case: Case, referral_id: UUID, earlier: Sequence[Delivery]) -> bool:
    """Returns whether no message of the referral can have reached the partner, and no event says that it knows it."""
    referral = case.referrals.get(referral_id)
    if referral is not None and referral.known:
        return False
    return bool(earlier) and all(before.status == "withdrawn" and before.begun_at is None for before in earlier)
