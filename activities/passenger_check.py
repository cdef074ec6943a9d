"""When doors close: everybody on the manifest is heard out before a movement says who is in the air.

A case settles by itself what was said to it, and never waits for its movement; so a movement may wait for its cases.
It does not wait for ever: whoever has not been heard out by then does not count as on board by the rules.
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

PATIENCE_S: Final = 120.0

LOOK_EVERY_S: Final = 0.05

KEPT: Final = 512


class PassengersPendingError(StaleRevisionError):
    """Something was said to a passenger's case that it has not taken in: look again in a moment."""


@dataclass(frozen=True, slots=True)
class Passenger:
    """A case that the decision rests on, at the revision it was seen at. Without ``case`` it was not heard out."""

    case_id: UUID
    revision: int
    case: Case | None

    def doubtful(self, advisories: Sequence[Advisory]) -> bool:
        """Whether nobody knows what the case would say; what should have taken the person off, and has not."""
        if self.case is None:
            return True
        unsaid = bool(self.case.doubts) or outdated(self.case, advisories) is not None
        return unsaid and self.case.seat is not None

    def is_on_board(self, movement_id: UUID, advisories: Sequence[Advisory]) -> bool:
        seat = self.case.seat if self.case and not self.doubtful(advisories) else None
        return seat is not None and seat.movement_id == movement_id and seat.status == "BOARDED"


def report_of(passengers: Sequence[Passenger], movement_id: UUID, advisories: Sequence[Advisory]) -> PassengerReport:
    """Returns what the cases of the passengers say, for the rules of the movement."""
    return PassengerReport(
        on_board=frozenset(each.case_id for each in passengers if each.is_on_board(movement_id, advisories)),
        undecided=frozenset(each.case_id for each in passengers if each.doubtful(advisories)),
    )


@dataclass(slots=True)
class PendingReport:
    """Since when (real clock) a report of departure waits for passengers, and whose cases were rung for it."""

    since: float = field(default_factory=monotonic)
    rung: set[UUID] = field(default_factory=set)


@dataclass
class PassengerCheck:
    """Checks, before a movement records its departure, that the cases of all passengers have been decided."""

    repository: Repository
    inbox: Inbox
    notifier: Notifier | None
    patience_s: float = PATIENCE_S
    waits: OrderedDict[UUID, PendingReport] = field(default_factory=OrderedDict)

    async def passengers(self, state: State, items: Sequence[InboxItem]) -> list[Passenger]:
        """When doors close.

        Every case on the manifest or reported on board. Otherwise nobody. Raises ``PassengersPendingError``.
        """
        reports = [item for item in items if isinstance(item.message, RecordFlightDeparture)]
        if not isinstance(state, Movement) or not reports:
            return []
        reported = {case_id for item in reports for case_id in getattr(item.message, "boarded", None) or ()}
        everybody = sorted({*state.seats, *reported})
        impatient = await self._hear_out(reports[0].waiting.message_id, everybody)
        found = [await self._look_at(case_id, impatient=impatient) for case_id in everybody]
        return [passenger for passenger in found if passenger is not None]

    async def _hear_out(self, report: UUID, cases: Sequence[UUID]) -> bool:
        """Ring whoever has something to take in, and wait for it. Whether the waiting has an end now."""
        unsettled = await self.inbox.cases_with_pending(cases)
        if not unsettled:
            return False
        wait = self._wait_of(report)
        if monotonic() - wait.since > self.patience_s:
            return True
        for case_id in set(unsettled) - wait.rung:
            wait.rung.add(case_id)
            if self.notifier is not None:
                self.notifier.notify(INBOX, case_id)
        raise _unheard(len(unsettled))

    async def _look_at(self, case_id: UUID, *, impatient: bool) -> Passenger | None:
        loaded = await self.repository.load(case_id, limit=1)
        head, waiting = loaded.snapshot.head, loaded.snapshot.waiting
        if head is None or head.kind != "case":
            return None
        if waiting and not impatient:
            raise _unheard(1)
        await self.repository.report_unreadable(loaded)
        state = None if waiting or loaded.unreadable else loaded.aggregate()
        return Passenger(case_id, head.revision, state if isinstance(state, Case) else None)

    def _wait_of(self, report: UUID) -> PendingReport:
        if len(self.waits) > KEPT:
            self.waits.popitem(last=False)
        return self.waits.setdefault(report, PendingReport())


def _unheard(cases: int) -> PassengersPendingError:
    return PassengersPendingError(f"{cases} passengers' cases have something to take in before doors close: look again")
