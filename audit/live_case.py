"""A case at this very moment, for whoever is about to tell somebody outside of it.

What staff or the person have said, and the log does not hold yet, may be a withdrawal: then nothing is told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from audit.replay import Pool, ReplayedStream, UnknownStreamError, replay_entries, with_metadata
from domain.case.aggregate import Case
from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.vocabulary import STATEMENTS
from store.crypto.keys import Keyring, KeyStore
from store.log.mapper import TamperedError
from store.log.repository import Repository
from store.log.rows import WaitingMessage
from store.messages.inbox import open_waiting

STATED: Final = frozenset(statement.value for statement in STATEMENTS)


@dataclass(frozen=True, slots=True)
class LiveCase:
    """A case as it stands. ``unsettled``: something that may forbid telling is not recorded yet, or cannot be read."""

    folded: ReplayedStream
    case: Case
    unsettled: bool


async def live_case(pool: Pool, keys: KeyStore, stream_id: UUID) -> LiveCase:
    """The case, and whether its log holds all that was said. Raises ``UnknownStreamError``."""
    loaded = await Repository(pool, keys).load(stream_id)
    head, entries = loaded.snapshot.head, [with_metadata(entry) for entry in loaded.entries]
    if head is None:
        raise UnknownStreamError(f"no case {stream_id}")
    state, folded = replay_entries(head, entries)
    if not isinstance(state, Case):
        raise UnknownStreamError(f"no case {stream_id}")
    whole = len(folded) == len(entries) and not loaded.snapshot.more
    said = any(_may_forbid(loaded.keyring, waiting) for waiting in loaded.snapshot.waiting)
    return LiveCase(ReplayedStream(head, state, tuple(folded)), state, unsettled=said or not whole)


def _may_forbid(keyring: Keyring, waiting: WaitingMessage) -> bool:
    """A partner's answer moves its own referral; anything else that waits may be a refusal."""
    return waiting.kind != "signal" or _restricts(keyring, waiting)


def _restricts(keyring: Keyring, waiting: WaitingMessage) -> bool:
    """Whether a signal is the person's own word, or contradicts what its partner had said before."""
    try:
        told = json.loads(open_waiting(keyring, waiting) or b"{}")
    except (TamperedError, ValueError):
        return True
    return told.get("message") != ReceivePartnerSignal.__name__ or told["fields"].get("signal_type") in STATED
