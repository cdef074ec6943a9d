"""Rules after a change of nationality: what must be repeated with the person, and which referrals wait for it.

The person may fear the country now named, and has not yet been interviewed about returning to it (rule
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
from domain.kernel.labels import requirement
from domain.kernel.vocabulary import ClearanceKind, ClearanceStatus, ReferralKind
from domain.referral.disclosure import RECIPIENT_OF, Recipient

ASK_FIRST: Final = "NATIONALITY.ASK_FIRST"

COUNTRY_RECIPIENTS: Final = frozenset(
    {
        *(Recipient.EMBASSY, Recipient.EXIT_AUTHORITY, Recipient.COMMUNITY),
        *(Recipient.RECEPTION, Recipient.REINTEGRATION, Recipient.TRACING),
    }
)
"""Recipients that are in the country now named, represent it or contact it. Care in Libya is not among them."""

BLOCKED_KINDS: Final = frozenset(kind for kind, who in RECIPIENT_OF.items() if who in COUNTRY_RECIPIENTS) | {
    ReferralKind.MEDICAL_HANDOVER,
    ReferralKind.PROTECTION_HANDOVER,
}
"""Kinds of referral that wait until the person has been interviewed: those to the country, and handovers to it."""


def latest_nationality_change(case: Case) -> NationalityChanged | None:
    """Returns the latest change of nationality, or ``None``."""
    return case.latest(NationalityChanged)


def former_nationalities(case: Case) -> frozenset[str]:
    """Returns all nationalities that were recorded earlier, except the current one."""
    changes = case.every(NationalityChanged)
    named = {change.before for change in changes}
    return frozenset(country for country in named if country and country != changes[-1].nationality)


def missing_after_nationality_change(case: Case) -> tuple[str, ...]:
    """Returns the requirements still missing after a change of nationality, by code.

    Nothing is missing once the person has departed (rule DISCLOSURE.CARE_CONTINUES).
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


def missing_before_disclosure(case: Case, kind: ReferralKind) -> tuple[str, ...]:
    """Returns the requirements still missing before data may be disclosed for a kind of referral, by code."""
    return missing_after_nationality_change(case) if kind in BLOCKED_KINDS else ()


def require_nationality_settled(case: Case, kind: ReferralKind) -> None:
    """Rejects a referral to the country now named until the person has been interviewed about it.

    Raises ``Rejected`` with the missing requirements. Staff cannot override this.
    """
    if missing := missing_before_disclosure(case, kind):
        requirements = ", ".join(map(requirement, missing))
        detail = f"the person's nationality was changed; before this referral, record: {requirements}"
        raise Rejected(ASK_FIRST, detail, field="kind", failures=missing)
