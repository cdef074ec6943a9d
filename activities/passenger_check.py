"""The passenger check: before a movement records its departure, pending messages to its passengers' cases are decided.

A case decides its messages independently and never waits for its movement, so a movement can wait for its cases without
a deadlock. The wait is limited: a passenger whose case is undecided by then does not count as on board.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final
from uuid import UUID

from activities.decision_batch import InboxItem
from domain.case.aggregate import Case
from domain.clearance.return_advisory import outdated
from domain.kernel.advisory import Advisory
from domain.kernel.context import PassengerReport
from domain.movement import Movement, RecordFlightDeparture
from domain.streams import State
from store.log.recorder import StaleRevisionError
from store.log.repository import Repository
from store.messages.inbox import Inbox
from store.postgres.notifier import INBOX, Notifier

MAX_WAIT_S: Final = 120.0

POLL_S: Final = 0.05

MAX_WAITS: Final = 512


class PassengersPendingError(StaleRevisionError):
    """A case of a passenger has pending messages: check again shortly."""


@dataclass(frozen=True, slots=True)
class Passenger:
    """A case that the decision is based on, at the revision read. ``case`` is ``None`` if it is undecided."""

    case_id: UUID
    revision: int
    case: Case | None

    def undecided(self, advisories: Sequence[Advisory]) -> bool:
        """Returns whether the case is undecided, or still has a seat despite a quarantined message or old advisory."""
        if self.case is None:
            return True
        unclear = bool(self.case.doubts) or outdated(self.case, advisories) is not None
        return unclear and self.case.seat is not None

    def is_on_board(self, movement_id: UUID, advisories: Sequence[Advisory]) -> bool:
        seat = self.case.seat if self.case and not self.undecided(advisories) else None
        return seat is not None and seat.movement_id == movement_id and seat.status == "BOARDED"


def report_of(passengers: Sequence[Passenger], movement_id: UUID, advisories: Sequence[Advisory]) -> PassengerReport:
    """Returns what the cases of the passengers say, for the rules of the movement."""
    return PassengerReport(
        on_board=frozenset(each.case_id for each in passengers if each.is_on_board(movement_id, advisories)),
        undecided=frozenset(each.case_id for each in passengers if each.undecided(advisories)),
    )


@dataclass(slots=True)
class PendingReport:
    """Since when (real clock) a departure report waits for passengers, and which cases were notified for it."""

    since: float = field(default_factory=monotonic)
    notified: set[UUID] = field(default_factory=set)


@dataclass
class PassengerCheck:
    """Checks, before a movement records its departure, that the cases of all passengers have been decided."""

    repository: Repository
    inbox: Inbox
    notifier: Notifier | None
    max_wait_s: float = MAX_WAIT_S
    waits: OrderedDict[UUID, PendingReport] = field(default_factory=OrderedDict)

    async def passengers(self, state: State, items: Sequence[InboxItem]) -> list[Passenger]:
        """Returns the cases on the manifest or reported on board, if a departure report is pending; otherwise none.

        Raises ``PassengersPendingError`` while cases have pending messages, for at most ``max_wait_s`` seconds.
        """
        reports = [item for item in items if isinstance(item.message, RecordFlightDeparture)]
        if not isinstance(state, Movement) or not reports:
            return []
        reported = {case_id for item in reports for case_id in getattr(item.message, "boarded", None) or ()}
        cases = sorted({*state.seats, *reported})
        timed_out = await self._wait_for(reports[0].waiting.message_id, cases)
        found = [await self._load(case_id, timed_out=timed_out) for case_id in cases]
        return [passenger for passenger in found if passenger is not None]

    async def _wait_for(self, report: UUID, cases: Sequence[UUID]) -> bool:
        """Notifies cases with pending messages and waits for them. Returns whether the wait has timed out."""
        unsettled = await self.inbox.cases_with_pending(cases)
        if not unsettled:
            return False
        wait = self._wait_of(report)
        if monotonic() - wait.since > self.max_wait_s:
            return True
        for case_id in set(unsettled) - wait.notified:
            wait.notified.add(case_id)
            if self.notifier is not None:
                self.notifier.notify(INBOX, case_id)
        raise _pending(len(unsettled))

    async def _load(self, case_id: UUID, *, timed_out: bool) -> Passenger | None:
        loaded = await self.repository.load(case_id, limit=1)
        head, waiting = loaded.snapshot.head, loaded.snapshot.waiting
        if head is None or head.kind != "case":
            return None
        if waiting and not timed_out:
            raise _pending(1)
        await self.repository.report_unreadable(loaded)
        state = None if waiting or loaded.unreadable else loaded.aggregate()
        return Passenger(case_id, head.revision, state if isinstance(state, Case) else None)

    def _wait_of(self, report: UUID) -> PendingReport:
        if len(self.waits) > MAX_WAITS:
            self.waits.popitem(last=False)
        return self.waits.setdefault(report, PendingReport())


def _pending(cases: int) -> PassengersPendingError:
    return PassengersPendingError(
        f"{cases} cases of passengers have pending messages: check again before recording the departure"
    )
