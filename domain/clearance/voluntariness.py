"""Whether a person wants to go: what puts it in doubt, and what still counts after that.

The wish is assessed, signed, and said again. What was said before the newest doubt counts no longer, by the order of
the log and by the clock: a paper signed before a withdrawal is no new wish, however late it comes (domain.md 4.5, 8.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from domain.case.aggregate import Case
from domain.events.case import HoldPlaced
from domain.events.documents import NationalityChanged
from domain.events.screening import DetentionRecorded, VoluntarinessAssessed, VoluntaryReturnWithdrawn
from domain.kernel.event import Event
from domain.kernel.vocabulary import HoldType

DOUBTS: Final[Mapping[type[Event], Callable[[Any], bool]]] = {
    VoluntaryReturnWithdrawn: lambda _withdrawn: True,
    VoluntarinessAssessed: lambda assessed: assessed.result != "VOLUNTARY",
    DetentionRecorded: lambda _detained: True,
    HoldPlaced: lambda placed: placed.hold_type is HoldType.CONSENT,
    NationalityChanged: lambda _changed: True,
}
"""Events after which the person is asked again whether they want to return."""


def latest_doubt(case: Case) -> Event | None:
    """The last fact by which the person may not want to go of their own free will."""
    found = (event for kind, is_doubt in DOUBTS.items() for event in case.every(kind) if is_doubt(event))
    return max(found, key=lambda event: event.originator_version, default=None)


def still_stands(case: Case, word: Event, said_at: datetime) -> bool:
    """Whether a word about the wish still counts: recorded, and said, after the newest doubt."""
    doubt = latest_doubt(case)
    return doubt is None or (word.originator_version > doubt.originator_version and said_at >= doubt.timestamp)


def is_voluntary(case: Case) -> bool:
    """Whether the newest assessment is a clear yes, and nothing has put the wish in doubt since."""
    assessed = case.latest(VoluntarinessAssessed)
    return assessed is not None and assessed.result == "VOLUNTARY" and still_stands(case, assessed, assessed.when)
