"""Disclosure to partners: the consent that each type of recipient requires, and the data that it may receive.

The minimum data set (rule DISCLOSURE.MINIMUM_DATA) is a table. A field outside a recipient's row is never sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from domain.events.documents import TravelDocumentIssued
from domain.kernel.policy import NEWEST
from domain.kernel.vocabulary import PUBLIC_KIND, Block, Purpose
from domain.kernel.vocabulary import ReferralKind as Kind

if TYPE_CHECKING:
    from domain.case.aggregate import Case
    from domain.case.referral import Referral


class Recipient(StrEnum):
    """The type of recipient of a referral. It decides the required consent, the blocking holds and the minimum data."""

    EMBASSY = "EMBASSY"
    EXIT_AUTHORITY = "EXIT_AUTHORITY"
    DETENTION_AUTHORITY = "DETENTION_AUTHORITY"
    CARRIER = "CARRIER"
    CLINIC = "CLINIC"
    MHPSS = "MHPSS"
    PROTECTION = "PROTECTION"
    UNHCR = "UNHCR"
    COMMUNITY = "COMMUNITY"
    TRANSIT = "TRANSIT"
    RECEPTION = "RECEPTION"
    REINTEGRATION = "REINTEGRATION"
    SHELTER = "SHELTER"
    LEGAL = "LEGAL"
    TRACING = "TRACING"
    GUARDIANSHIP = "GUARDIANSHIP"


RECIPIENT_OF: Final[Mapping[Kind, Recipient]] = {
    Kind.PROTECTION_ASSISTANCE: Recipient.PROTECTION,
    Kind.VOT_ASSISTANCE: Recipient.PROTECTION,
    Kind.GBV_SERVICES: Recipient.PROTECTION,
    Kind.CHILD_BIA: Recipient.PROTECTION,
    Kind.GUARDIANSHIP: Recipient.GUARDIANSHIP,
    Kind.FAMILY_TRACING: Recipient.TRACING,
    Kind.FAMILY_ASSESSMENT: Recipient.TRACING,
    Kind.BID_PANEL: Recipient.PROTECTION,
    Kind.UNHCR_ASYLUM: Recipient.UNHCR,
    Kind.SAFETY_ASSESSMENT: Recipient.RECEPTION,
    Kind.MHPSS: Recipient.MHPSS,
    Kind.SHELTER_DIRECT_ASSISTANCE: Recipient.SHELTER,
    Kind.LEGAL_ASSISTANCE: Recipient.LEGAL,
    Kind.COMMUNITY_LIAISON: Recipient.COMMUNITY,
    Kind.DETENTION_RELEASE: Recipient.DETENTION_AUTHORITY,
    Kind.MEDICAL_ASSESSMENT: Recipient.CLINIC,
    Kind.SPECIALIST_CARE: Recipient.CLINIC,
    Kind.FIT_TO_TRAVEL: Recipient.CLINIC,
    Kind.AIRLINE_MEDICAL: Recipient.CARRIER,
    Kind.MEDICAL_EVACUATION: Recipient.CLINIC,
    Kind.CONSULAR_IDENTITY: Recipient.EMBASSY,
    Kind.TRAVEL_DOCUMENT: Recipient.EMBASSY,
    Kind.EXIT_PERMIT: Recipient.EXIT_AUTHORITY,
    Kind.MOVEMENT_BOOKING: Recipient.CARRIER,
    Kind.ESCORT: Recipient.CARRIER,
    Kind.TRANSIT_ASSISTANCE: Recipient.TRANSIT,
    Kind.RECEPTION: Recipient.RECEPTION,
    Kind.MEDICAL_HANDOVER: Recipient.CLINIC,
    Kind.PROTECTION_HANDOVER: Recipient.PROTECTION,
    Kind.CHILD_HANDOVER: Recipient.RECEPTION,
    Kind.REINTEGRATION_COUNSELLING: Recipient.REINTEGRATION,
    Kind.REINTEGRATION_SERVICE: Recipient.REINTEGRATION,
    Kind.PROCUREMENT: Recipient.REINTEGRATION,
}

PURPOSE_OF: Final[Mapping[Recipient, Purpose]] = {
    Recipient.EMBASSY: Purpose.SHARE_EMBASSY,
    Recipient.EXIT_AUTHORITY: Purpose.SHARE_AUTHORITY,
    Recipient.DETENTION_AUTHORITY: Purpose.SHARE_AUTHORITY,
    Recipient.CARRIER: Purpose.CARRIER,
    Recipient.CLINIC: Purpose.SHARE_CLINIC,
    Recipient.MHPSS: Purpose.MHPSS,
    Recipient.PROTECTION: Purpose.SHARE_PROTECTION,
    Recipient.UNHCR: Purpose.SHARE_UNHCR,
    Recipient.COMMUNITY: Purpose.COMMUNITY,
    Recipient.TRANSIT: Purpose.TRANSIT,
    Recipient.RECEPTION: Purpose.SHARE_RECEPTION,
    Recipient.REINTEGRATION: Purpose.SHARE_REINTEGRATION,
    Recipient.SHELTER: Purpose.SHELTER,
    Recipient.LEGAL: Purpose.LEGAL,
    Recipient.TRACING: Purpose.TRACING,
    Recipient.GUARDIANSHIP: Purpose.GUARDIANSHIP,
}

PUBLIC_PURPOSE: Final[Mapping[Purpose, Purpose]] = {
    Purpose.SHARE_UNHCR: Purpose.SHARE_PROTECTION,
    Purpose.SHARE_NATIONAL_AUTHORITY_VOT: Purpose.SHARE_PROTECTION,
    Purpose.MHPSS: Purpose.SHARE_CLINIC,
}
"""The public name of a purpose of consent whose own name would reveal protected facts."""

AUTHORITIES: Final = frozenset({Recipient.EXIT_AUTHORITY, Recipient.DETENTION_AUTHORITY})

BY_LETTER: Final = AUTHORITIES | {Recipient.EMBASSY}
"""Recipients that are notified of an end with the next daily letters, never at the time of its cause.

See rule PROTECTION.INDISTINGUISHABLE.
"""

CARE: Final = frozenset(
    {Recipient.CLINIC, Recipient.MHPSS, Recipient.PROTECTION, Recipient.UNHCR, Recipient.SHELTER, Recipient.LEGAL}
)
"""Recipients whose help never depends on the return: a consent hold does not block disclosure to them.

See rule DISCLOSURE.CARE_CONTINUES.
"""

_IDENTITY: Final = frozenset({"family_name", "given_names", "sex", "date_of_birth", "dob_precision"})

MAY_SEE: Final[Mapping[Recipient, frozenset[str]]] = {
    Recipient.EMBASSY: _IDENTITY | {"name_native_script", "nationality", "iom_line", "interview"},
    Recipient.EXIT_AUTHORITY: _IDENTITY | {"nationality", "document", "flight"},
    Recipient.DETENTION_AUTHORITY: _IDENTITY | {"nationality"},
    Recipient.CARRIER: frozenset({"family_name", "given_names", "sex", "age_class", "document", "flight"}),
    Recipient.CLINIC: _IDENTITY | {"phone", "languages"},
    Recipient.MHPSS: frozenset({"given_names", "phone", "languages"}),
    Recipient.PROTECTION: frozenset({"given_names", "phone", "languages"}),
    Recipient.UNHCR: _IDENTITY | {"nationality", "phone", "languages"},
    Recipient.COMMUNITY: frozenset({"given_names", "phone"}),
    Recipient.TRANSIT: frozenset({"family_name", "given_names", "sex", "flight"}),
    Recipient.RECEPTION: _IDENTITY | {"nationality", "phone", "languages", "flight"},
    Recipient.REINTEGRATION: frozenset({"family_name", "given_names", "phone", "languages", "item"}),
    Recipient.SHELTER: frozenset({"given_names", "phone", "languages"}),
    Recipient.LEGAL: frozenset({"given_names", "family_name", "phone", "languages"}),
    Recipient.TRACING: _IDENTITY | {"nationality"},
    Recipient.GUARDIANSHIP: _IDENTITY | {"nationality"},
}
"""The fields that each recipient needs, and no others.

Embassies receive IOM's telephone line, never the person's, and a place only for the interview itself. Detention
authorities receive nothing about travel documents and flights (rule DISCLOSURE.EMBASSY_AND_AUTHORITIES).
"""

NOT_PERSONAL: Final = frozenset({"iom_line"})
"""Fields that are not personal data: sending them is not recorded as a disclosure."""


def purpose_of(kind: Kind) -> Purpose:
    """Returns the purpose of consent that a kind of referral requires."""
    return PURPOSE_OF[RECIPIENT_OF[kind]]


def blocking_holds(case: Case, kind: Kind) -> Iterator[str]:
    """Returns the holds that block disclosure for a kind of referral now, by their public type."""
    recipient = RECIPIENT_OF[kind]
    blocks: set[Block] = set()
    if recipient is Recipient.EMBASSY:
        blocks = {Block.EMBASSY_DISCLOSURE}
    if recipient in AUTHORITIES:
        blocks = {Block.AUTHORITY_DISCLOSURE}
    if recipient not in CARE:
        blocks |= {Block.DISCLOSURE}
    return (hold.type for hold in case.holds.values() if hold.blocks & blocks)


def minimum_data(case: Case, referral: Referral) -> dict[str, Any]:
    """Returns the personal data that a referral discloses: the fields in the row of its recipient that are known."""
    allowed = MAY_SEE[RECIPIENT_OF[referral.asked_kind]]
    known = {**_of_person(case), **_of_journey(case), **_of_request(referral)}
    return {name: value for name, value in known.items() if name in allowed and value}


def _of_person(case: Case) -> dict[str, Any]:
    return case.person.model_dump(mode="json", exclude_none=True) if case.person else {}


def _of_journey(case: Case) -> dict[str, Any]:
    issued, seat = case.latest(TravelDocumentIssued), case.seat
    known: dict[str, Any] = {"document": issued.number} if issued else {}
    if seat is not None:
        known["flight"] = {"movement": seat.movement, "std": seat.std.isoformat()}
        known["age_class"] = _age_class(case, seat.std.date())
    return known


def _of_request(referral: Referral) -> dict[str, Any]:
    interview = referral.interview
    return {
        "item": referral.item,
        "iom_line": NEWEST.in_force.iom_line,
        "interview": interview.model_dump(mode="json") if interview else None,
    }


INFANT_UNTIL, CHILD_UNTIL = 2, 12


def _age_class(case: Case, on: date) -> str | None:
    """Returns the age class that a carrier needs (IATA): infant, child or adult on the day of the flight."""
    if case.person is None or case.person.date_of_birth is None:
        return None
    years = case.person.age(on)
    return "INF" if years < INFANT_UNTIL else "CHD" if years < CHILD_UNTIL else "ADT"


# Names of partners

SENSITIVE: Final = frozenset(PUBLIC_KIND) | frozenset(
    kind
    for kind, recipient in RECIPIENT_OF.items()
    if recipient
    in {
        *(Recipient.PROTECTION, Recipient.UNHCR, Recipient.MHPSS),
        *(Recipient.SHELTER, Recipient.TRACING, Recipient.GUARDIANSHIP),
    }
)
"""Kinds of referral that reveal protected facts about the person referred."""

REVEALING: Final = re.compile(
    r"unhcr|acnur|refug|asyl|mhpss|psych|mental|trauma|shelter|protect|traffick|victim|surviv|safe.?house|violence"
    r"|women|child|minor|orphan|guardian|unicef|tubercul|(?<![a-z])(?:hcr|vot|s?gbv|hiv|tb)(?![a-z])"
)


def revealing_word(partner_id: str, kinds: Iterable[Kind]) -> str | None:
    """Returns the word in a partner id that reveals a sensitive service, or ``None``.

    Partner ids are not sealed (INV-03). An id may contain such a word if the partner takes no sensitive referrals.
    """
    found = REVEALING.search(partner_id.lower())
    return found[0] if found and not SENSITIVE.isdisjoint(kinds) else None
