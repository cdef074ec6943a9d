"""Partner types: on which consent each may be asked, which data each may see, and what is never sent.

The minimum data set (rule DISCLOSURE.MINIMUM_DATA) is a table: a field that is not in a recipient's row does not leave.
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
    """Whom a kind of referral goes to; decides consent, blocking holds and what may be seen."""

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
"""What a purpose is called beside a disclosure, where its own name would tell too much."""

AUTHORITIES: Final = frozenset({Recipient.EXIT_AUTHORITY, Recipient.DETENTION_AUTHORITY})

BY_LETTER: Final = AUTHORITIES | {Recipient.EMBASSY}
"""Who hears of an ending with the next ordinary letters, never at the moment of its cause.

See rule PROTECTION.INDISTINGUISHABLE.
"""

CARE: Final = frozenset(
    {Recipient.CLINIC, Recipient.MHPSS, Recipient.PROTECTION, Recipient.UNHCR, Recipient.SHELTER, Recipient.LEGAL}
)
"""Recipients whose help never depends on returning: a CONSENT hold does not stop them.

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
"""What each recipient needs to do its part, and no more. Embassies get our telephone line, never the person's, and a
place only for the interview itself; who decides on detention learns nothing of papers and flights (rule
DISCLOSURE.EMBASSY_AND_AUTHORITIES).
"""

NOBODYS: Final = frozenset({"iom_line"})
"""What stands in a row and is nobody's: telling it discloses nothing."""


def purpose_of(kind: Kind) -> Purpose:
    return PURPOSE_OF[RECIPIENT_OF[kind]]


def stopped_by(case: Case, kind: Kind) -> Iterator[str]:
    """The holds that forbid telling this kind of recipient anything now, by their public names."""
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
    """What this referral tells its partner about the person: its recipient's row of the table."""
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
    """What a carrier needs to know of an age (IATA): infant, child or adult on the day of the flight."""
    if case.person is None or case.person.date_of_birth is None:
        return None
    years = case.person.age(on)
    return "INF" if years < INFANT_UNTIL else "CHD" if years < CHILD_UNTIL else "ADT"


# What a partner may be called

SENSITIVE: Final = frozenset(PUBLIC_KIND) | frozenset(
    kind
    for kind, recipient in RECIPIENT_OF.items()
    if recipient
    in {
        *(Recipient.PROTECTION, Recipient.UNHCR, Recipient.MHPSS),
        *(Recipient.SHELTER, Recipient.TRACING, Recipient.GUARDIANSHIP),
    }
)
"""Kinds that tell something of a person who is sent there."""

TELLING: Final = re.compile(
    r"unhcr|acnur|refug|asyl|mhpss|psych|mental|trauma|shelter|protect|traffick|victim|surviv|safe.?house|violence"
    r"|women|child|minor|orphan|guardian|unicef|tubercul|(?<![a-z])(?:hcr|vot|s?gbv|hiv|tb)(?![a-z])"
)


def telling(partner_id: str, kinds: Iterable[Kind]) -> str | None:
    """The word by which an id tells for what somebody is sent there; ids stand outside all seals (INV-03).

    ``None`` for one that tells nothing, or nothing that anybody might not know.
    """
    found = TELLING.search(partner_id.lower())
    return found[0] if found and not SENSITIVE.isdisjoint(kinds) else None
