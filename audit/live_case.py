"""A case at this very moment, for whoever is about to tell somebody outside of it.

What staff or the person have said, and the log does not hold yet, may be a withdrawal: then nothing is told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from audit.replay import Folded, NoSuchStream, Pool, fold_entries, read_row
from domain.case.aggregate import Case
from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.vocabulary import STATEMENTS
from store.crypto.keys import Keyring, KeyStore
from store.log.mapper import EventMapper, Tampered
from store.log.recorder import Recorder
from store.log.rows import Waiting
from store.messages.inbox import open_waiting

STATED: Final = frozenset(statement.value for statement in STATEMENTS)


@dataclass(frozen=True, slots=True)
class Live:
    """A case as it stands. ``unsettled``: something that may forbid telling is not recorded yet, or cannot be read."""

    folded: Folded
    case: Case
    unsettled: bool


async def live(pool: Pool, keys: KeyStore, stream_id: UUID) -> Live:
    """The case, and whether its log holds all that was said. Raises ``NoSuchStream``."""
    loaded = await Recorder(pool).load(stream_id)
    if loaded.head is None or loaded.head.kind != "case":
        raise NoSuchStream(f"no case {stream_id}")
    keyring = keys.from_rows(stream_id, loaded.keys)
    mapper = EventMapper(keyring)
    entries = [read_row(mapper, row) for row in loaded.rows]
    state, folded = fold_entries(loaded.head, entries)
    if not isinstance(state, Case):
        raise NoSuchStream(f"no case {stream_id}")
    whole = len(folded) == len(entries) and not loaded.more
    said = any(_may_forbid(keyring, waiting) for waiting in loaded.waiting)
    return Live(Folded(loaded.head, state, tuple(folded)), state, unsettled=said or not whole)


def _may_forbid(keyring: Keyring, waiting: Waiting) -> bool:
    """A partner's answer moves its own referral; anything else that waits may be a refusal."""
    return waiting.kind != "signal" or _restricts(keyring, waiting)


def _restricts(keyring: Keyring, waiting: Waiting) -> bool:
    """Whether a signal is the person's own word, or contradicts what its partner had said before."""
    try:
        told = json.loads(open_waiting(keyring, waiting) or b"{}")
    except (Tampered, ValueError):
        return True
    return told.get("message") != ReceivePartnerSignal.__name__ or told["fields"].get("signal_type") in STATED
