"""What a partner may answer: each type of signal in a sentence, and the outcomes of each kind of referral.

The tables are for those who build and read answers: partners' programmers, forms, mappings. A signal with another
outcome is still received and kept; it only means nothing to the rules (domain.md 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from domain.words import ReferralKind, SignalType

K = ReferralKind
T = SignalType

SAYS: Final[Mapping[SignalType, str]] = {
    T.ACKNOWLEDGED: "The referral has arrived.",
    T.ACCEPTED: "We will do it.",
    T.REJECTED: "We will not do it; `reason` says why.",
    T.STARTED: "We have begun.",
    T.PROGRESS: "Something to know on the way; number these with `partner_seq`, so that none overtakes a later one.",
    T.PAUSED: "We cannot go on for now; `reason` says why, `until` until when.",
    T.RESUMED: "We go on.",
    T.COMPLETED: "We have done it, with this `outcome_code`. Enough by itself: missing steps are inferred.",
    T.FAILED: "We could not do it; `reason` says why.",
    T.PARTNER_CANCELLED: "We withdraw from it; `reason` says why.",
    T.AMENDED: "What we reported was wrong, and this holds instead; `supersedes_signal_id` names the signal.",
    T.RETRACTED: "What we reported was wrong, and nothing holds instead; `supersedes_signal_id` names the signal.",
    T.WITHDRAWAL_REPORTED: "The person says that they no longer want to return.",
    T.CONCERN_REPORTED: "The person, or what we saw, gives cause for concern about their safety.",
    T.CONTACT_CHANGED: "The person can be reached in another way.",
}

_BY_PERSON = "DECLINED_BY_PERSON"
Answers = Mapping[SignalType, tuple[str, ...]]


def _done(*codes: str, **others: tuple[str, ...]) -> Answers:
    """Outcomes of ``COMPLETED``; those that another signal carries are named by it."""
    return {T.COMPLETED: codes, **{SignalType[name.upper()]: carried for name, carried in others.items()}}


OUTCOMES: Final[Mapping[ReferralKind, Answers]] = {
    K.PROTECTION_ASSISTANCE: _done(
        "SERVICE_PROVIDED", "PARTIALLY_PROVIDED", _BY_PERSON, "SERVICE_UNAVAILABLE", "NOT_REACHED"
    ),
    K.VOT_ASSISTANCE: _done("ADMITTED", "ASSISTED_OUTSIDE", _BY_PERSON, "NO_CAPACITY", "DISCHARGED"),
    K.GBV_SERVICES: _done("CARE_PROVIDED", _BY_PERSON, "TOO_LATE_FOR_PEP", "SERVICE_UNAVAILABLE"),
    K.CHILD_BIA: _done("RETURN_RECOMMENDED", "RETURN_NOT_RECOMMENDED", "BID_REQUIRED", paused=("MORE_INFO",)),
    K.GUARDIANSHIP: _done("GUARDIAN_APPOINTED", "DE_FACTO_CAREGIVER_CONFIRMED", "NONE_AVAILABLE"),
    K.FAMILY_TRACING: _done("FOUND", "NOT_FOUND", "FOUND_UNWILLING", "FOUND_UNSAFE", "DECEASED"),
    K.FAMILY_ASSESSMENT: _done("SUITABLE", "SUITABLE_WITH_SUPPORT", "UNSUITABLE", "REFUSED_ACCESS"),
    K.BID_PANEL: _done("RETURN", "REMAIN_WITH_CARE", "THIRD_COUNTRY", "DEFERRED"),
    K.UNHCR_ASYLUM: _done(
        "REGISTERED", "NOT_OF_CONCERN", "OUT_OF_SCOPE", "CLAIM_NOT_PURSUED", "EVACUATION_OR_RESETTLEMENT", "NOT_REACHED"
    ),
    K.SAFETY_ASSESSMENT: _done("SAFE", "SAFE_WITH_MITIGATION", "NOT_SAFE", "UNDETERMINED"),
    K.MHPSS: _done("ENGAGED", "COMPLETED_COURSE", _BY_PERSON, "REFERRED_UP", "NOT_REACHED"),
    K.SHELTER_DIRECT_ASSISTANCE: _done("PROVIDED", "WAITLISTED", "UNAVAILABLE"),
    K.LEGAL_ASSISTANCE: _done("ADVISED", "RESOLVED", "PROCEEDINGS_OPEN"),
    K.COMMUNITY_LIAISON: _done("CONTACTED", "NOT_FOUND", "IDENTITY_ENDORSED", "CONCERN_REPORTED"),
    K.DETENTION_RELEASE: _done("RELEASE_GRANTED", "RELEASE_REFUSED", "PERSON_NOT_FOUND", "MOVED_SITE"),
    K.MEDICAL_ASSESSMENT: _done(
        "NO_SIGNIFICANT_CONDITION",
        "SIGNIFICANT_CONDITION_STABLE",
        "TREATMENT_REQUIRED",
        "UNFIT_TEMPORARY",
        "UNFIT_LONG_TERM",
        _BY_PERSON,
    ),
    K.SPECIALIST_CARE: _done("TREATED", "ADMITTED", "DISCHARGED", "REFERRED_ABROAD", "DIED"),
    K.FIT_TO_TRAVEL: _done("FIT", "FIT_WITH_CONDITIONS", "UNFIT_TEMPORARY", "UNFIT"),
    K.AIRLINE_MEDICAL: _done("APPROVED", "APPROVED_WITH_CONDITIONS", "REFUSED", paused=("MORE_INFO",)),
    K.MEDICAL_EVACUATION: _done("EVACUATED", "DIED_IN_CARE", "DECLINED_BY_RECEIVER", _BY_PERSON),
    K.CONSULAR_IDENTITY: _done(
        "NATIONALITY_CONFIRMED",
        "NOT_CONFIRMED",
        "INTERVIEW_NO_SHOW",
        "REFUSED_TO_COOPERATE_PERSON",
        "EMBASSY_CLOSED",
        progress=("VERIFICATION_IN_CAPITAL",),
    ),
    K.TRAVEL_DOCUMENT: _done("ISSUED", "REFUSED", progress=("REQUIRES_ITINERARY",), paused=("FEE_REQUIRED",)),
    K.EXIT_PERMIT: _done("GRANTED", "REFUSED", paused=("MORE_INFO",)),
    K.MOVEMENT_BOOKING: _done("CONFIRMED", "WAITLISTED", "REFUSED"),
    K.ESCORT: _done("ASSIGNED", "NOT_AVAILABLE"),
    K.TRANSIT_ASSISTANCE: _done("CONFIRMED", "PROVIDED", "REFUSED"),
    K.RECEPTION: _done(
        "RECEIVED",
        "NOT_ARRIVED",
        "REFUSED_ASSISTANCE",
        accepted=("CONFIRMED", "CONFIRMED_WITH_LIMITS"),
        rejected=("CANNOT_RECEIVE",),
    ),
    K.MEDICAL_HANDOVER: _done("HANDED_OVER", "ADMITTED", "NO_SHOW"),
    K.PROTECTION_HANDOVER: _done("HANDED_OVER", _BY_PERSON),
    K.CHILD_HANDOVER: _done("HANDED_OVER", "CAREGIVER_ABSENT"),
    K.REINTEGRATION_COUNSELLING: _done("COUNSELLED", "NOT_REACHED", "DECLINED"),
    K.REINTEGRATION_SERVICE: _done(
        "DELIVERED", "PARTIALLY", "BENEFICIARY_ABSENT", "PROVIDER_DEFAULT", "SERVICE_UNAVAILABLE"
    ),
    K.PROCUREMENT: _done("DELIVERED", "PARTIAL", "REJECTED_QUALITY", "VENDOR_DEFAULT"),
}

PAYLOAD: Final[Mapping[ReferralKind, Mapping[str, str]]] = {
    K.MEDICAL_ASSESSMENT: {
        "examined_at": "when the person was examined; the clearance counts from there",
        "valid_until": "until when the result holds, if less than usual",
    },
    K.TRAVEL_DOCUMENT: {
        "kind": "LAISSEZ_PASSER, EMERGENCY_TRAVEL_CERTIFICATE, PASSPORT …",
        "number": "the document's number; the exit permit holds for this number only",
        "expires_on": "the last day on which it is valid",
    },
    K.EXIT_PERMIT: {
        "permit_number": "the permit's number",
        "airport": "the airport it is for",
        "expires_on": "the last day on which it is valid",
        "reason_class": "with REFUSED: why",
    },
}
"""What the rules read of a payload, by kind. Whatever else stands there is kept, sealed."""
