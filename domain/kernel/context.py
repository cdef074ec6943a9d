"""What a rule is given beside the case and the message: when it is, who speaks, which partners there are.

Rules have no clock and make up no identities: both come in here, so that deciding twice decides alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from domain.kernel.directory import Directory
from domain.kernel.policy import NEWEST, Policy


@dataclass(frozen=True)
class Context:
    """``at`` is when the message takes effect and ``recorded_at`` the database's clock at recording (both UTC)."""

    at: datetime
    recorded_at: datetime
    actor: str
    message_id: UUID
    directory: Directory
    token: Callable[[], str]
    claimed_at: datetime | None = None
    policy: Policy = NEWEST
    boarded: frozenset[UUID] = frozenset()
    """For a flight's departure only: the cases whose own streams say that the person is on board."""
    unheard: frozenset[UUID] = frozenset()
    """For a flight's departure only: the cases that were not heard out: nobody knows what they would say."""

    @property
    def said_at(self) -> datetime:
        """When it was said: by the sender's word, but never later than it came (UTC)."""
        return min(self.claimed_at or self.at, self.at)

    def new_id(self, label: str) -> UUID:
        """An identity that deciding again gives again."""
        return uuid5(self.message_id, label)
