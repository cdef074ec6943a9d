"""Whether the embassy has confirmed the person's nationality."""

from __future__ import annotations

from domain.case.aggregate import Case
from domain.events.documents import NationalityConfirmed, NationalityNotConfirmed


def nationality_confirmed(case: Case) -> bool:
    """Returns whether the newest answer confirms the nationality that the person names today.

    A confirmation may be withdrawn, and it is about the nationality that was named when it was given.
    """
    confirmed, denied = case.latest(NationalityConfirmed), case.latest(NationalityNotConfirmed)
    if confirmed is None:
        return False
    denied_at = denied.originator_version if denied else 0
    return confirmed.originator_version > max(denied_at, case.nationality_since)
