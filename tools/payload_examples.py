"""An example of a payload for every kind of referral, for the pages for partners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from domain.kernel.vocabulary import ReferralKind


@dataclass(frozen=True)
class PayloadExample:
    """An outcome of a kind of referral, with its details."""

    outcome: str
    payload: Mapping[str, Any]


EXAMPLES: Final[Mapping[ReferralKind, PayloadExample]] = {
    ReferralKind.PROTECTION_ASSISTANCE: PayloadExample(
        "SERVICE_PROVIDED",
        {
            "service_type": ["counselling"],
            "dates": ["2026-11-23"],
            "safety_plan_done": True,
            "further_needs": ["clothing"],
            "recommended_hold": False,
        },
    ),
    ReferralKind.VOT_ASSISTANCE: PayloadExample("ADMITTED", {"shelter_ref": "S-14", "support_plan": ["counselling"]}),
    ReferralKind.GBV_SERVICES: PayloadExample("CARE_PROVIDED", {"date": "2026-11-23"}),
    ReferralKind.CHILD_BIA: PayloadExample(
        "RETURN_RECOMMENDED",
        {
            "child_views": "wants to live with her mother",
            "risks": ["long journey"],
            "options_considered": ["return", "stay"],
            "recommendation": "return to the mother",
            "assessor": "A-7",
        },
    ),
    ReferralKind.GUARDIANSHIP: PayloadExample(
        "GUARDIAN_APPOINTED", {"guardian_ref": "G-3", "basis": "court order", "expires_on": "2027-11-23"}
    ),
    ReferralKind.FAMILY_TRACING: PayloadExample(
        "FOUND",
        {
            "relation": "mother",
            "contact": "+2348010000001",
            "location": "Lagos",
            "verification_method": "video call",
        },
    ),
    ReferralKind.FAMILY_ASSESSMENT: PayloadExample(
        "SUITABLE", {"home_conditions": "two rooms", "caregiver_consent": True, "support_needs": ["school fees"]}
    ),
    ReferralKind.BID_PANEL: PayloadExample(
        "RETURN",
        {
            "decision": "return",
            "reasons": ["family unity"],
            "review_by": "2027-05-23",
            "panel_roles": ["child protection officer"],
        },
    ),
    ReferralKind.UNHCR_ASYLUM: PayloadExample("NOT_OF_CONCERN", {"progres_id": "LBY-100-00001"}),
    ReferralKind.SAFETY_ASSESSMENT: PayloadExample(
        "SAFE_WITH_MITIGATION",
        {
            "area": "NG-LA",
            "threat_actor_class": "family",
            "mitigations": ["other district"],
            "advisory_version": "2026-3",
        },
    ),
    ReferralKind.MHPSS: PayloadExample(
        "ENGAGED", {"level": 2, "fit_for_decision": True, "valid_until": "2027-02-23T00:00:00+02:00"}
    ),
    ReferralKind.SHELTER_DIRECT_ASSISTANCE: PayloadExample("PROVIDED", {"items": ["blanket", "hygiene kit"]}),
    ReferralKind.LEGAL_ASSISTANCE: PayloadExample("RESOLVED", {"may_depart": True}),
    ReferralKind.COMMUNITY_LIAISON: PayloadExample("CONTACTED", {"phone": "+218910000002"}),
    ReferralKind.DETENTION_RELEASE: PayloadExample(
        "RELEASE_GRANTED", {"site": "site 4", "date": "2026-12-01", "conditions": ["transport by IOM"]}
    ),
    ReferralKind.MEDICAL_ASSESSMENT: PayloadExample(
        "NO_SIGNIFICANT_CONDITION",
        {
            "examined_at": "2026-11-23",
            "smc_codes": ["NONE"],
            "mobility_class": "walks alone",
            "escort_need": "none",
            "oxygen": False,
            "meds_supply_days": 0,
            "tb_screen": "NEG",
            "pregnancy": {"pregnant": False},
            "vaccination": ["yellow fever"],
            "valid_until": "2027-02-21",
        },
    ),
    ReferralKind.SPECIALIST_CARE: PayloadExample(
        "DISCHARGED", {"discharge_date": "2026-11-23", "restrictions": ["no heavy loads"]}
    ),
    ReferralKind.FIT_TO_TRAVEL: PayloadExample(
        "FIT_WITH_CONDITIONS",
        {
            "issued_at": "2026-11-23T09:00:00+02:00",
            "conditions": ["wheelchair"],
            "ssr_codes": ["WCHR"],
            "valid_until": "2026-11-26T09:00:00+02:00",
            "recheck_on": "2026-11-25",
        },
    ),
    ReferralKind.AIRLINE_MEDICAL: PayloadExample(
        "APPROVED_WITH_CONDITIONS", {"conditions": ["aisle seat"], "valid_flights": ["8U 1234"]}
    ),
    ReferralKind.MEDICAL_EVACUATION: PayloadExample("EVACUATED", {"receiving_hospital": "Tunis, Charles Nicolle"}),
    ReferralKind.CONSULAR_IDENTITY: PayloadExample(
        "NATIONALITY_CONFIRMED",
        {
            "family_name": "Okafor",
            "given_names": "Aminata",
            "date_of_birth": "1996-04-02",
            "file_no": "C-2026-118",
            "interviewed_on": "2026-11-22",
        },
    ),
    ReferralKind.TRAVEL_DOCUMENT: PayloadExample(
        "ISSUED",
        {
            "kind": "LAISSEZ_PASSER",
            "number": "LP-0417733",
            "issued_on": "2026-11-23",
            "expires_on": "2027-02-23",
            "single_journey": True,
            "persons_covered": 1,
        },
    ),
    ReferralKind.EXIT_PERMIT: PayloadExample(
        "GRANTED", {"permit_number": "X-7", "expires_on": "2027-01-05", "airport": "MJI", "list_no": "12"}
    ),
    ReferralKind.MOVEMENT_BOOKING: PayloadExample(
        "CONFIRMED", {"flight_no": "8U 1234", "legs": ["MJI-LOS"], "seats": ["14A"], "baggage": "30 kg"}
    ),
    ReferralKind.ESCORT: PayloadExample("ASSIGNED", {"escort_type": "nurse", "visa_ok": True}),
    ReferralKind.TRANSIT_ASSISTANCE: PayloadExample("CONFIRMED", {"meet_point": "gate of arrival"}),
    ReferralKind.RECEPTION: PayloadExample(
        "RECEIVED",
        {
            "met_at": "2026-11-23T18:30:00+01:00",
            "cash_eur": 65,
            "shelter_nights": 2,
            "onward_transport": "bus to Benin City",
        },
    ),
    ReferralKind.MEDICAL_HANDOVER: PayloadExample(
        "HANDED_OVER",
        {
            "facility": "Lagos, University Hospital",
            "meds_given": ["30 days"],
            "handed_over_at": "2026-11-23T19:00:00+01:00",
        },
    ),
    ReferralKind.PROTECTION_HANDOVER: PayloadExample("HANDED_OVER", {}),
    ReferralKind.CHILD_HANDOVER: PayloadExample(
        "HANDED_OVER",
        {
            "id_checked": True,
            "id_document": "passport",
            "signature": "yes",
            "handed_over_at": "2026-11-23T19:00:00+01:00",
        },
    ),
    ReferralKind.REINTEGRATION_COUNSELLING: PayloadExample("COUNSELLED", {}),
    ReferralKind.REINTEGRATION_SERVICE: PayloadExample(
        "DELIVERED",
        {"hours": 40, "units": 1, "certificate": "C-9", "satisfaction": 4, "delivered_on": "2026-11-23"},
    ),
    ReferralKind.PROCUREMENT: PayloadExample(
        "DELIVERED",
        {
            "items": ["sewing machine"],
            "invoice": "2026-77",
            "amount": 240.5,
            "currency": "EUR",
            "proof": "photograph",
            "delivered_on": "2026-11-23",
        },
    ),
}

FREQUENT: Final = (
    ReferralKind.MEDICAL_ASSESSMENT,
    ReferralKind.CONSULAR_IDENTITY,
    ReferralKind.TRAVEL_DOCUMENT,
    ReferralKind.EXIT_PERMIT,
    ReferralKind.FIT_TO_TRAVEL,
    ReferralKind.RECEPTION,
)
"""The kinds whose examples are also on the first page."""
