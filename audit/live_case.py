"""The present state of a case, for the last check before personal data are disclosed to a partner.

A message that is received but not yet recorded may be a withdrawal; then nothing may be disclosed.
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
    """The present state of a case.

    ``unsettled``: something that may forbid a disclosure is not recorded yet, or cannot be read.
    """

    folded: ReplayedStream
    case: Case
    unsettled: bool


async def live_case(pool: Pool, keys: KeyStore, stream_id: UUID) -> LiveCase:
    """Returns the case, and whether a waiting message may forbid a disclosure. Raises ``UnknownStreamError``."""
    loaded = await Repository(pool, keys).load(stream_id)
    head, entries = loaded.snapshot.head, [with_metadata(entry) for entry in loaded.entries]
    if head is None:
        raise UnknownStreamError(f"there is no case with the id {stream_id}")
    state, folded = replay_entries(head, entries)
    if not isinstance(state, Case):
        raise UnknownStreamError(f"there is no case with the id {stream_id}")
    complete = len(folded) == len(entries) and not loaded.snapshot.more
    pending = any(_may_forbid(loaded.keyring, waiting) for waiting in loaded.snapshot.waiting)
    return LiveCase(ReplayedStream(head, state, tuple(folded)), state, unsettled=pending or not complete)


def _may_forbid(keyring: Keyring, waiting: WaitingMessage) -> bool:
    """Whether a waiting message may forbid a disclosure.

    A partner's report only changes the status of its own referral. Any other message may be a withdrawal.
    """
    return waiting.kind != "signal" or _restricts(keyring, waiting)


def _restricts(keyring: Keyring, waiting: WaitingMessage) -> bool:
    """Whether a signal reports what the person said, or contradicts an earlier signal of its partner."""
    try:
        body = json.loads(open_waiting(keyring, waiting) or b"{}")
    except (TamperedError, ValueError):
        return True
    return body.get("message") != ReceivePartnerSignal.__name__ or body["fields"].get("signal_type") in STATED
