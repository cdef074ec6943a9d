"""Voluntariness: which events put it in doubt, and which statements are still valid after a doubt.

A person's decision to return is assessed, declared and reaffirmed. A statement made before the latest doubt is no
longer
valid, both by its place in the log and by its date: a form signed before a withdrawal is not a new declaration, however
late it arrives (rule VRD.AFTER_DOUBT).
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
"""Events after which voluntariness must be assessed and declared again."""


def latest_doubt(case: Case) -> Event | None:
    """Returns the latest event that puts voluntariness in doubt."""
    found = (event for kind, is_doubt in DOUBTS.items() for event in case.every(kind) if is_doubt(event))
    return max(found, key=lambda event: event.originator_version, default=None)


def still_stands(case: Case, word: Event, said_at: datetime) -> bool:
    """Returns whether a statement is valid: recorded, and made (UTC), after the latest doubt."""
    doubt = latest_doubt(case)
    return doubt is None or (word.originator_version > doubt.originator_version and said_at >= doubt.timestamp)


def is_voluntary(case: Case) -> bool:
    """Returns whether the latest assessment is VOLUNTARY and nothing has put it in doubt since."""
    assessed = case.latest(VoluntarinessAssessed)
    return assessed is not None and assessed.result == "VOLUNTARY" and still_stands(case, assessed, assessed.when)
