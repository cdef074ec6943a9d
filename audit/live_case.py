"""The present state of a case, for the last check before personal data are disclosed to a partner.

A message that is received but not yet recorded may be a withdrawal; then nothing may be disclosed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from audit.replay import Pool, ReplayedStream, UnknownStreamError, read_row, replay_entries
from domain.case.aggregate import Case
from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.vocabulary import STATEMENTS
from store.crypto.keys import Keyring, KeyStore
from store.log.mapper import EventMapper, TamperedError
from store.log.recorder import Recorder
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
    loaded = await Recorder(pool).load(stream_id)
    if loaded.head is None or loaded.head.kind != "case":
        raise UnknownStreamError(f"there is no case with the id {stream_id}")
    keyring = keys.from_rows(stream_id, loaded.keys)
    mapper = EventMapper(keyring)
    entries = [read_row(mapper, row) for row in loaded.rows]
    state, folded = replay_entries(loaded.head, entries)
    if not isinstance(state, Case):
        raise UnknownStreamError(f"there is no case with the id {stream_id}")
    complete = len(folded) == len(entries) and not loaded.more
    pending = any(_may_forbid(keyring, waiting) for waiting in loaded.waiting)
    return LiveCase(ReplayedStream(loaded.head, state, tuple(folded)), state, unsettled=pending or not complete)


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
