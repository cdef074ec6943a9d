"""The decision context: what a rule receives besides the aggregate and the message.

Rules read no clock and generate no random ids. Both come from the context, so that deciding the same message twice
gives the same events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from domain.kernel.directory import Directory
from domain.kernel.policy import NEWEST, Policy


@dataclass(frozen=True)
class PassengerReport:
    """What the cases of a movement's passengers say at departure, by case id.

    ``undecided`` are cases with a message that is not decided yet: what they would say is not known.
    """

    on_board: frozenset[UUID] = frozenset()
    undecided: frozenset[UUID] = frozenset()


NO_PASSENGERS: Final = PassengerReport()


@dataclass(frozen=True)
class Context:
    """Time, sender and directory of one decision.

    ``at`` is when the message takes effect; ``recorded_at`` is the database's clock at recording (both UTC).
    """

    at: datetime
    recorded_at: datetime
    actor: str
    message_id: UUID
    directory: Directory
    token: Callable[[], str]
    claimed_at: datetime | None = None
    policy: Policy = NEWEST
    passengers: PassengerReport = NO_PASSENGERS
    """What the cases of the passengers say; given to a movement that records its departure, empty otherwise."""

    @property
    def said_at(self) -> datetime:
        """Returns when the statement was made, as its sender claims, but never later than it was received (UTC)."""
        return min(self.claimed_at or self.at, self.at)

    def new_id(self, label: str) -> UUID:
        """Returns an id that is the same whenever this message is decided."""
        return uuid5(self.message_id, label)
