"""What a partner may answer on a page, for each kind of referral (domain.md 6).

The outcome codes stand here until the programme's own table of payloads holds them; nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from domain.hearing import ALLOWED
from domain.words import ReferralKind, ReferralStatus, SignalType, TravelDocumentKind

K = ReferralKind
T = SignalType
S = ReferralStatus

DONE: Final[Mapping[ReferralKind, tuple[str, ...]]] = {
    kind: tuple(codes.split())
    for kind, codes in {
        K.PROTECTION_ASSISTANCE:
            "SERVICE_PROVIDED PARTIALLY_PROVIDED DECLINED_BY_PERSON SERVICE_UNAVAILABLE NOT_REACHED",
        K.VOT_ASSISTANCE: "ADMITTED ASSISTED_OUTSIDE DECLINED_BY_PERSON NO_CAPACITY DISCHARGED",
        K.GBV_SERVICES: "CARE_PROVIDED DECLINED_BY_PERSON TOO_LATE_FOR_PEP SERVICE_UNAVAILABLE",
        K.CHILD_BIA: "RETURN_RECOMMENDED RETURN_NOT_RECOMMENDED BID_REQUIRED",
        K.GUARDIANSHIP: "GUARDIAN_APPOINTED DE_FACTO_CAREGIVER_CONFIRMED NONE_AVAILABLE",
        K.FAMILY_TRACING: "FOUND NOT_FOUND FOUND_UNWILLING FOUND_UNSAFE DECEASED",
        K.FAMILY_ASSESSMENT: "SUITABLE SUITABLE_WITH_SUPPORT UNSUITABLE REFUSED_ACCESS",
        K.BID_PANEL: "RETURN REMAIN_WITH_CARE THIRD_COUNTRY DEFERRED",
        K.UNHCR_ASYLUM:
            "REGISTERED NOT_OF_CONCERN OUT_OF_SCOPE CLAIM_NOT_PURSUED EVACUATION_OR_RESETTLEMENT NOT_REACHED",
        K.SAFETY_ASSESSMENT: "SAFE SAFE_WITH_MITIGATION NOT_SAFE UNDETERMINED",
        K.MHPSS: "ENGAGED COMPLETED_COURSE DECLINED_BY_PERSON REFERRED_UP NOT_REACHED",
        K.SHELTER_DIRECT_ASSISTANCE: "PROVIDED UNAVAILABLE",
        K.LEGAL_ASSISTANCE: "ADVISED RESOLVED PROCEEDINGS_OPEN",
        K.DETENTION_RELEASE: "RELEASE_GRANTED RELEASE_REFUSED PERSON_NOT_FOUND MOVED_SITE",
        K.MEDICAL_ASSESSMENT:
            "NO_SIGNIFICANT_CONDITION SIGNIFICANT_CONDITION_STABLE TREATMENT_REQUIRED UNFIT_TEMPORARY "
            "UNFIT_LONG_TERM DECLINED_BY_PERSON",
        K.SPECIALIST_CARE: "TREATED ADMITTED DISCHARGED REFERRED_ABROAD DIED",
        K.FIT_TO_TRAVEL: "FIT FIT_WITH_CONDITIONS UNFIT_TEMPORARY UNFIT",
        K.AIRLINE_MEDICAL: "APPROVED APPROVED_WITH_CONDITIONS REFUSED",
        K.MEDICAL_EVACUATION: "EVACUATED DIED_IN_CARE DECLINED_BY_RECEIVER DECLINED_BY_PERSON",
        K.CONSULAR_IDENTITY:
            "NATIONALITY_CONFIRMED NOT_CONFIRMED INTERVIEW_NO_SHOW REFUSED_TO_COOPERATE_PERSON EMBASSY_CLOSED",
        K.TRAVEL_DOCUMENT: "ISSUED REFUSED",
        K.EXIT_PERMIT: "GRANTED REFUSED",
        K.MOVEMENT_BOOKING: "CONFIRMED REFUSED",
        K.ESCORT: "ASSIGNED NOT_AVAILABLE",
        K.TRANSIT_ASSISTANCE: "PROVIDED",
        K.RECEPTION: "RECEIVED NOT_ARRIVED REFUSED_ASSISTANCE",
        K.MEDICAL_HANDOVER: "HANDED_OVER ADMITTED NO_SHOW",
        K.PROTECTION_HANDOVER: "HANDED_OVER DECLINED_BY_PERSON",
        K.CHILD_HANDOVER: "HANDED_OVER CAREGIVER_ABSENT",
        K.REINTEGRATION_COUNSELLING: "COUNSELLED NOT_REACHED DECLINED",
        K.REINTEGRATION_SERVICE: "DELIVERED PARTIALLY BENEFICIARY_ABSENT PROVIDER_DEFAULT SERVICE_UNAVAILABLE",
        K.PROCUREMENT: "DELIVERED PARTIAL REJECTED_QUALITY VENDOR_DEFAULT",
    }.items()
}  # fmt: skip
"""Outcomes that complete a referral. A community leader is asked nothing but to pass word on, and has none."""

NOT_YET: Final[Mapping[ReferralKind, tuple[str, ...]]] = {
    K.CHILD_BIA: ("MORE_INFO",),
    K.SHELTER_DIRECT_ASSISTANCE: ("WAITLISTED",),
    K.AIRLINE_MEDICAL: ("MORE_INFO",),
    K.EXIT_PERMIT: ("MORE_INFO",),
    K.CONSULAR_IDENTITY: ("VERIFICATION_IN_CAPITAL",),
    K.TRAVEL_DOCUMENT: ("REQUIRES_ITINERARY", "FEE_REQUIRED"),
    K.MOVEMENT_BOOKING: ("WAITLISTED",),
}
"""Outcomes that do not end anything: told as progress."""

ACCEPTED: Final[Mapping[ReferralKind, tuple[str, ...]]] = {K.RECEPTION: ("CONFIRMED", "CONFIRMED_WITH_LIMITS")}
REJECTED: Final[Mapping[ReferralKind, tuple[str, ...]]] = {K.RECEPTION: ("CANNOT_RECEIVE",)}
"""Kinds whose yes and no have codes of their own."""

PAPERS: Final[Mapping[ReferralKind, tuple[str, ...]]] = {
    K.TRAVEL_DOCUMENT: ("kind", "number", "expires_on"),
    K.EXIT_PERMIT: ("permit_number", "expires_on"),
}
"""What is asked about a paper, by the names the answer's payload has for it."""
NUMBERED: Final[Mapping[ReferralKind, str]] = {K.TRAVEL_DOCUMENT: "number", K.EXIT_PERMIT: "permit_number"}
TICKED: Final[Mapping[ReferralKind, tuple[str, ...]]] = {K.CHILD_HANDOVER: ("id_checked",)}
"""What can be ticked beside an outcome, and is then true in its payload."""
ISSUES: Final = frozenset({"ISSUED", "GRANTED"})
"""Outcomes that bring a paper."""
ITS_DAY: Final[Mapping[ReferralKind, str]] = {K.MEDICAL_ASSESSMENT: "examined_at"}
"""Kinds whose payload has a name for the day on which it was done."""
PAPER_KINDS: Final = (
    TravelDocumentKind.LAISSEZ_PASSER,
    TravelDocumentKind.EMERGENCY_TRAVEL_CERTIFICATE,
    TravelDocumentKind.COLLECTIVE_LAISSEZ_PASSER,
    TravelDocumentKind.PASSPORT,
)

LAST_WORDS: Final = frozenset({T.COMPLETED, T.REJECTED, T.FAILED})
"""After one of these nothing can follow, and the link is used up."""
NO: Final = frozenset({T.REJECTED, T.FAILED})


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to say: which signal, with which outcome. ``group`` is where it stands on the page."""

    signal: SignalType
    outcome: str | None
    group: str
    words: str
    """The key of its words: of the page's own, unless it has an outcome."""

    @property
    def value(self) -> str:
        return f"{self.signal}:{self.outcome}" if self.outcome else str(self.signal)


STATEMENTS: Final = (
    Choice(T.WITHDRAWAL_REPORTED, None, "always", "withdrawal"),
    Choice(T.CONCERN_REPORTED, None, "always", "concern"),
)
"""What may be said at any time, whatever has become of the referral (domain.md 00, 2)."""


def every(kind: ReferralKind) -> Iterator[Choice]:
    """Everything that can be said about a kind of referral, whatever has been said before."""
    yield from _choices(T.ACCEPTED, ACCEPTED.get(kind), "your_answer", "accept")
    yield from _choices(T.REJECTED, REJECTED.get(kind), "your_answer", "reject")
    yield Choice(T.FAILED, None, "your_answer", "reject")
    yield Choice(T.STARTED, None, "your_answer", "start")
    yield from _choices(T.PROGRESS, NOT_YET.get(kind, ()), "not_yet", "not_yet")
    yield from _choices(T.COMPLETED, DONE.get(kind, ()), "done", "done")
    yield from STATEMENTS


def fitting(kind: ReferralKind, status: ReferralStatus) -> Iterator[Choice]:
    """What is worth offering at a status. No is a refusal before the work has begun, and a failure after."""
    for choice in every(kind):
        if choice in STATEMENTS or (status in ALLOWED[choice.signal] and not _other_no(choice.signal, status)):
            yield choice


def named(kind: ReferralKind | None, value: str) -> Choice | None:
    """The choice a form came back with, offered now or a while ago. Without a kind: statements only."""
    return next((choice for choice in (every(kind) if kind else STATEMENTS) if choice.value == value), None)


def _choices(signal: SignalType, outcomes: tuple[str, ...] | None, group: str, words: str) -> Iterator[Choice]:
    for outcome in (None,) if outcomes is None else outcomes:
        yield Choice(signal, outcome, group, words)


def _other_no(signal: SignalType, status: ReferralStatus) -> bool:
    return signal is T.FAILED and status in ALLOWED[T.REJECTED]
