"""Another nationality than before: what the person is asked anew, and who is told nothing until then.

The country now named may be the one they fear, and nobody has heard yet whether they want to go there (rule
NATIONALITY.ASK_FIRST).
"""

from __future__ import annotations

from typing import Final

from domain.case.aggregate import Case
from domain.clearance.protection_concern import asked_in_private
from domain.clearance.voluntariness import is_voluntary
from domain.events.departure import FlightDeparted
from domain.events.documents import NationalityChanged
from domain.kernel.errors import Rejected
from domain.kernel.vocabulary import ClearanceKind, ClearanceStatus, ReferralKind
from domain.referral.disclosure import RECIPIENT_OF, Recipient

ASK_FIRST: Final = "NATIONALITY.ASK_FIRST"

OF_THE_COUNTRY: Final = frozenset(
    {
        *(Recipient.EMBASSY, Recipient.EXIT_AUTHORITY, Recipient.COMMUNITY),
        *(Recipient.RECEPTION, Recipient.REINTEGRATION, Recipient.TRACING),
    }
)
"""Who is in the country now named, speaks for it, or asks it. Care in Libya is not among them."""

TOLD_AFTERWARDS: Final = frozenset(kind for kind, who in RECIPIENT_OF.items() if who in OF_THE_COUNTRY) | {
    ReferralKind.MEDICAL_HANDOVER,
    ReferralKind.PROTECTION_HANDOVER,
}
"""The kinds that wait until the person has been asked: theirs, and what is handed over to that country."""


def newest_change(case: Case) -> NationalityChanged | None:
    return case.latest(NationalityChanged)


def former(case: Case) -> frozenset[str]:
    """Every nationality that was on record once, but for the present one."""
    changes = case.every(NationalityChanged)
    named = {change.before for change in changes}
    return frozenset(country for country in named if country and country != changes[-1].nationality)


def unasked(case: Case) -> tuple[str, ...]:
    """What the person is still to be asked after naming another nationality; nothing once they have left.

    See rule DISCLOSURE.CARE_CONTINUES.
    """
    left = case.departed or (case.closed and case.has(FlightDeparted))
    if left or not case.nationality_since:
        return ()
    consent = case.clearances.get(ClearanceKind.CONSENT_RETURN)
    declared = consent is not None and consent.status is ClearanceStatus.VALID
    missing = {
        "STAFF.PRIVATE_INTERVIEW": not asked_in_private(case),
        "STAFF.VOLUNTARINESS": not declared and not is_voluntary(case),
        "PERSON.DECLARATION": not declared,
    }
    return tuple(code for code, lacking in missing.items() if lacking)


def told_too_early(case: Case, kind: ReferralKind) -> tuple[str, ...]:
    """What the person is to be asked before a partner of that kind is told anything more."""
    return unasked(case) if kind in TOLD_AFTERWARDS else ()


def insist_on_asking_first(case: Case, kind: ReferralKind) -> None:
    """An order of staff leads past none of that: nobody of that country is asked before the person is."""
    if missing := told_too_early(case, kind):
        detail = f"another nationality was named; first settle {', '.join(missing)}"
        raise Rejected(ASK_FIRST, detail, field="kind", failures=missing)
