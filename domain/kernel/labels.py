"""The words for codes: what people read where the programme stores an enumeration value.

JSON, events and messages keep the codes. A code without a label of its own reads as the code in lower case, so that a
new code is never left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from domain.kernel.vocabulary import (
    AdvisoryLevel,
    Checkpoint,
    ClearanceKind,
    HoldType,
    IntakeChannel,
    LivingSituation,
    Phase,
    Priority,
    PublicClosure,
    Purpose,
    ReferralKind,
    Stage,
    Timeliness,
    TravelDocumentKind,
)

LABELS: Final[Mapping[type[StrEnum], Mapping[str, str]]] = {
    Stage: {
        Stage.MEDICAL: "medical clearance",
        Stage.DOCUMENTS: "travel documents",
        Stage.RECEPTION: "post-arrival reception",
    },
    Phase: {
        Phase.PRE_DEPARTURE: "before departure",
        Phase.TRANSIT: "in transit",
        Phase.POST_ARRIVAL: "after arrival",
    },
    HoldType: {
        HoldType.CHILD: "child protection",
        HoldType.SAFETY: "safety of return",
        HoldType.CONTACT_LOST: "loss of contact",
        HoldType.COMPLAINT_SAFEGUARD: "complaint",
    },
    TravelDocumentKind: {
        TravelDocumentKind.LAISSEZ_PASSER: "laissez-passer",
        TravelDocumentKind.COLLECTIVE_LAISSEZ_PASSER: "collective laissez-passer",
        TravelDocumentKind.ICRC_TRAVEL_DOCUMENT: "ICRC travel document",
    },
    Checkpoint: {
        Checkpoint.NOMINATE: "nomination",
        Checkpoint.FREEZE: "freezing of the manifest",
        Checkpoint.CHECK_IN: "check-in",
        Checkpoint.BOARD: "boarding",
    },
    PublicClosure: {
        PublicClosure.NOT_PROCEEDING_SUPPORT_CONTINUES: "return does not proceed, support continues",
    },
    IntakeChannel: {
        IntakeChannel.WALK_IN: "walk-in",
        IntakeChannel.OUTREACH_MRRM: "MRRM outreach",
        IntakeChannel.TRANSFER_IN: "transfer",
        IntakeChannel.DISTRESS_DESERT: "rescue in the desert",
    },
    LivingSituation: {
        LivingSituation.URBAN_RENTED: "rented, urban",
        LivingSituation.DETENTION_OFFICIAL: "official place of detention",
        LivingSituation.DETENTION_UNOFFICIAL: "unofficial place of detention",
    },
    AdvisoryLevel: {
        AdvisoryLevel.CAUTION_INDIVIDUAL_ASSESSMENT: "caution, individual assessment",
    },
    ClearanceKind: {
        ClearanceKind.CONSENT_RETURN: "consent to return",
        ClearanceKind.AIRLINE_MEDICAL: "airline medical approval",
        ClearanceKind.CHILD_BEST_INTERESTS: "best interests of the child",
    },
    ReferralKind: {
        ReferralKind.VOT_ASSISTANCE: "assistance to a victim of trafficking",
        ReferralKind.GBV_SERVICES: "gender-based violence services",
        ReferralKind.CHILD_BIA: "best interests assessment",
        ReferralKind.BID_PANEL: "best interests determination",
        ReferralKind.UNHCR_ASYLUM: "UNHCR asylum",
        ReferralKind.SAFETY_ASSESSMENT: "assessment of safety of return",
        ReferralKind.MHPSS: "mental health and psychosocial support",
        ReferralKind.SHELTER_DIRECT_ASSISTANCE: "shelter or direct assistance",
        ReferralKind.DETENTION_RELEASE: "release from detention",
        ReferralKind.AIRLINE_MEDICAL: "airline medical approval",
        ReferralKind.CONSULAR_IDENTITY: "consular identity verification",
        ReferralKind.CHILD_HANDOVER: "handover of a child",
    },
    Purpose: {
        Purpose.SHARE_EMBASSY: "share with embassy",
        Purpose.SHARE_AUTHORITY: "share with exit authority",
        Purpose.SHARE_CLINIC: "share with clinic",
        Purpose.SHARE_PROTECTION: "share with protection partner",
        Purpose.SHARE_UNHCR: "share with UNHCR",
        Purpose.SHARE_RECEPTION: "share with reception partner",
        Purpose.SHARE_REINTEGRATION: "share with reintegration partner",
        Purpose.SHARE_NATIONAL_AUTHORITY_VOT: "share with the national authority for victims of trafficking",
        Purpose.RESEARCH_AGGREGATE: "research, in aggregate",
        Purpose.PHOTO_MEDIA: "photographs and media",
        Purpose.MHPSS: "mental health and psychosocial support",
    },
    Timeliness: {
        Timeliness.ESCALATED_L1: "escalated, level 1",
        Timeliness.ESCALATED_L2: "escalated, level 2",
        Timeliness.ESCALATED_L3: "escalated, level 3",
    },
    Priority: {
        Priority.P1_LIFE_SAVING: "1, life-saving",
        Priority.P2_HIGHLY_VULNERABLE: "2, highly vulnerable",
        Priority.P3_VULNERABLE: "3, vulnerable",
        Priority.P4_STANDARD: "4, standard",
    },
}
"""Labels that are not the code in lower case, by enumeration: ``MEDICAL`` is a stage, and a type of hold."""

REQUIREMENTS: Final[Mapping[str, str]] = {
    "EMBASSY.NATIONALITY": "confirmation of nationality",
    "MOVEMENT.ARRIVAL": "arrival of the flight",
    "MOVEMENT.CHECK_IN": "check-in",
    "MOVEMENT.DEPARTURE": "departure of the flight",
    "MOVEMENT.FREEZE": "freezing of the manifest",
    "PARTNER.COUNSELLING": "reintegration counselling",
    "PARTNER.DELIVERY_AND_MONITORING": "delivery and monitoring of assistance",
    "PERSON.DECLARATION": "voluntary return declaration",
    "PERSON.SHARE_EMBASSY": "consent to share data with the embassy",
    "RECEPTION.ARRIVAL": "confirmation of arrival",
    "RECEPTION.COMPLETE": "completion of reception",
    "RECEPTION.MEET": "reception on arrival",
    "STAFF": "IOM staff",
    "STAFF.COMPLETE_REINTEGRATION": "completion of reintegration",
    "STAFF.COMPLETE_SCREENING": "completion of screening",
    "STAFF.ELIGIBILITY": "eligibility decision",
    "STAFF.ENROLMENT": "enrolment in reintegration",
    "STAFF.FUNDING": "allocation of funding",
    "STAFF.NEEDS": "assessment of reintegration needs",
    "STAFF.NOMINATION": "nomination for a flight",
    "STAFF.PLAN": "reintegration plan",
    "STAFF.PLAN_APPROVAL": "approval of the reintegration plan",
    "STAFF.PRIVATE_INTERVIEW": "protection screening interview in private",
    "STAFF.SAFETY_OF_RETURN": "assessment of safety of return",
    "STAFF.VOLUNTARINESS": "voluntariness assessment",
    "STAFF.VULNERABILITY": "vulnerability assessment",
}
"""What a case waits for, by the code of the requirement."""

ABBREVIATIONS: Final = frozenset({"AAP", "BIA", "BID", "GBV", "IOM", "MHPSS", "UNHCR", "VOT"})
"""Abbreviations stay in capitals within a label."""


def label(member: StrEnum) -> str:
    """Returns the words for a member of an enumeration: ``Stage.MEDICAL`` is "medical clearance"."""
    return LABELS.get(type(member), {}).get(member) or words(member)


def words(code: str) -> str:
    """Returns any other code as words: ``NO_ANSWER`` is "no answer"."""
    return " ".join(part if part in ABBREVIATIONS else part.lower() for part in code.split("_"))


def requirement(code: str) -> str:
    """Returns what a case waits for, in words: ``STAFF.ELIGIBILITY`` is "eligibility decision".

    Takes the codes of a case's requirements, and those of the list of cases (``HOLD.MEDICAL``, ``PARTNER.ESCORT``).
    """
    if code in REQUIREMENTS:
        return REQUIREMENTS[code]
    group, _, subject = code.partition(".")
    if group == "HOLD":
        return f"{label(HoldType(subject)) if subject in HoldType.__members__ else words(subject)} hold"
    if subject in ReferralKind.__members__:
        return label(ReferralKind(subject))
    return words(subject or group)
