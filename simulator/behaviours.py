"""How simulated partners respond to each kind of referral, and their behaviour profiles (estimates, not statistics).

A behaviour profile describes how one organisation behaves for every referral: promptly, slowly, not at all, with
duplicates, out of order, with contradictions, or with a wrong clock. Profiles combine: ``duplicating+contradictory``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, Final

from domain.kernel.vocabulary import ReferralKind
from simulator.seeded_random import DurationSpread


class UnknownBehaviourError(ValueError):
    """There is no behaviour profile with this name."""


# The response to each kind of referral


@dataclass(frozen=True)
class Behaviour:
    """The response to one kind of referral: the outcomes with their shares (per cent), and the negative outcome.

    ``confirmation``: the outcome code with which a partner accepts before a flight; it completes after the flight.
    ``rejection``: the outcome code of a rejection.
    """

    accepted: DurationSpread
    completed: DurationSpread
    outcomes: Mapping[str, float]
    negative_outcome: str
    may_reject: bool = True
    confirmation: str | None = None
    rejection: str = "NO_CAPACITY"


ACKNOWLEDGED_AFTER: Final = DurationSpread(0.6, 0.6, 4)

AT_ONCE: Final = DurationSpread(0.1, 0.3, 1)

QUICKLY: Final = DurationSpread(0.5, 0.3, 1)

SOON: Final = DurationSpread(1, 0.5, 3)

LATER: Final = DurationSpread(2, 0.5, 6)

BEHAVIOUR: Final[Mapping[ReferralKind, Behaviour]] = {
    # protection, children, asylum, community
    ReferralKind.PROTECTION_ASSISTANCE: Behaviour(
        SOON, DurationSpread(4, 1.0, 30), {"SERVICE_PROVIDED": 100}, "SERVICE_UNAVAILABLE"
    ),
    ReferralKind.VOT_ASSISTANCE: Behaviour(AT_ONCE, QUICKLY, {"ADMITTED": 100}, "DECLINED_BY_PERSON"),
    ReferralKind.GBV_SERVICES: Behaviour(AT_ONCE, QUICKLY, {"CARE_PROVIDED": 100}, "SERVICE_UNAVAILABLE"),
    ReferralKind.CHILD_BIA: Behaviour(
        SOON, DurationSpread(8, 0.5, 20), {"RETURN_RECOMMENDED": 100}, "RETURN_NOT_RECOMMENDED"
    ),
    ReferralKind.GUARDIANSHIP: Behaviour(
        LATER, DurationSpread(6, 0.5, 20), {"GUARDIAN_APPOINTED": 100}, "NONE_AVAILABLE"
    ),
    ReferralKind.FAMILY_TRACING: Behaviour(LATER, DurationSpread(20, 0.5, 80), {"FOUND": 100}, "FOUND_UNSAFE"),
    ReferralKind.FAMILY_ASSESSMENT: Behaviour(LATER, DurationSpread(12, 0.5, 40), {"SUITABLE": 100}, "UNSUITABLE"),
    ReferralKind.BID_PANEL: Behaviour(LATER, DurationSpread(20, 0.5, 60), {"RETURN": 100}, "DEFERRED"),
    ReferralKind.UNHCR_ASYLUM: Behaviour(
        LATER, DurationSpread(15, 0.5, 60), {"NOT_OF_CONCERN": 100}, "REGISTERED", may_reject=False
    ),
    ReferralKind.SAFETY_ASSESSMENT: Behaviour(LATER, DurationSpread(6, 0.5, 20), {"SAFE": 100}, "NOT_SAFE"),
    ReferralKind.MHPSS: Behaviour(SOON, DurationSpread(10, 0.6, 40), {"ENGAGED": 100}, "REFERRED_UP"),
    ReferralKind.SHELTER_DIRECT_ASSISTANCE: Behaviour(AT_ONCE, QUICKLY, {"PROVIDED": 100}, "UNAVAILABLE"),
    ReferralKind.LEGAL_ASSISTANCE: Behaviour(LATER, DurationSpread(12, 0.6, 40), {"ADVISED": 100}, "PROCEEDINGS_OPEN"),
    ReferralKind.COMMUNITY_LIAISON: Behaviour(SOON, DurationSpread(4, 0.6, 15), {"CONTACTED": 100}, "NOT_FOUND"),
    ReferralKind.DETENTION_RELEASE: Behaviour(
        LATER, DurationSpread(6, 0.6, 20), {"RELEASE_GRANTED": 100}, "RELEASE_REFUSED"
    ),
    # medical, documents, movement
    ReferralKind.MEDICAL_ASSESSMENT: Behaviour(
        DurationSpread(2, 0.5, 5),
        DurationSpread(7, 0.86, 30),
        {"NO_SIGNIFICANT_CONDITION": 85, "SIGNIFICANT_CONDITION_STABLE": 15},
        "TREATMENT_REQUIRED",
    ),
    ReferralKind.SPECIALIST_CARE: Behaviour(SOON, DurationSpread(4, 0.8, 30), {"TREATED": 100}, "ADMITTED"),
    ReferralKind.FIT_TO_TRAVEL: Behaviour(AT_ONCE, QUICKLY, {"FIT": 100}, "UNFIT", may_reject=False),
    ReferralKind.AIRLINE_MEDICAL: Behaviour(SOON, DurationSpread(2, 0.4, 5), {"APPROVED": 100}, "REFUSED"),
    ReferralKind.MEDICAL_EVACUATION: Behaviour(
        AT_ONCE, DurationSpread(2, 0.4, 5), {"EVACUATED": 100}, "DECLINED_BY_RECEIVER"
    ),
    ReferralKind.CONSULAR_IDENTITY: Behaviour(
        LATER, DurationSpread(11, 0.94, 60), {"NATIONALITY_CONFIRMED": 96, "NOT_CONFIRMED": 4}, "NOT_CONFIRMED"
    ),
    ReferralKind.TRAVEL_DOCUMENT: Behaviour(
        DurationSpread(1, 0.5, 4), DurationSpread(6, 0.8, 14), {"ISSUED": 100}, "REFUSED"
    ),
    ReferralKind.EXIT_PERMIT: Behaviour(SOON, DurationSpread(5, 0.8, 12), {"GRANTED": 100}, "REFUSED"),
    ReferralKind.MOVEMENT_BOOKING: Behaviour(SOON, DurationSpread(2, 0.4, 5), {"CONFIRMED": 100}, "REFUSED"),
    ReferralKind.ESCORT: Behaviour(SOON, DurationSpread(3, 0.4, 8), {"ASSIGNED": 100}, "NOT_AVAILABLE"),
    ReferralKind.TRANSIT_ASSISTANCE: Behaviour(SOON, DurationSpread(2, 0.4, 5), {"PROVIDED": 100}, "REFUSED"),
    # reception and reintegration
    ReferralKind.RECEPTION: Behaviour(
        QUICKLY,
        DurationSpread(3, 0.4, 10),
        {"RECEIVED": 100},
        "NOT_ARRIVED",
        may_reject=False,
        confirmation="CONFIRMED",
        rejection="CANNOT_RECEIVE",
    ),
    ReferralKind.MEDICAL_HANDOVER: Behaviour(SOON, QUICKLY, {"HANDED_OVER": 100}, "NO_SHOW"),
    ReferralKind.PROTECTION_HANDOVER: Behaviour(SOON, QUICKLY, {"HANDED_OVER": 100}, "DECLINED_BY_PERSON"),
    ReferralKind.CHILD_HANDOVER: Behaviour(SOON, QUICKLY, {"HANDED_OVER": 100}, "CAREGIVER_ABSENT", may_reject=False),
    ReferralKind.REINTEGRATION_COUNSELLING: Behaviour(
        LATER, DurationSpread(7, 0.8, 30), {"COUNSELLED": 100}, "NOT_REACHED"
    ),
    ReferralKind.REINTEGRATION_SERVICE: Behaviour(
        DurationSpread(5, 0.7, 20), DurationSpread(80, 0.7, 200), {"DELIVERED": 100}, "SERVICE_UNAVAILABLE"
    ),
    ReferralKind.PROCUREMENT: Behaviour(
        DurationSpread(2, 0.5, 5), DurationSpread(15, 0.6, 60), {"DELIVERED": 100}, "VENDOR_DEFAULT"
    ),
}

DOCUMENT_DAYS_PCT: Final[Mapping[int, float]] = {30: 60, 60: 24, 90: 16}

PERMIT_DAYS: Final = 30


# Behaviour profiles


@dataclass(frozen=True)
class BehaviourProfile:
    """How one organisation behaves. Shares (``_pct``) are per cent of its referrals.

    ``pace``: the factor on all durations. ``reports``: how many progress reports it sends. ``copies``: how often a
    duplicated signal is sent. ``clock``: how far its clock is ahead in the times it reports; ``signing_clock``: how
    far the clock of the system that signs is ahead.
    """

    pace: float = 1.0
    silent_pct: float = 0.0
    rejects_pct: float = 0.0
    omits_acknowledgement_pct: float = 0.0
    reorders_pct: float = 0.0
    duplicates_pct: float = 0.0
    copies: int = 2
    contradicts_pct: float = 0.0
    ignores_cancellation_pct: float = 0.0
    negative_pct: float = 0.0
    reports: int = 0
    clock: timedelta = timedelta(0)
    signing_clock: timedelta = timedelta(0)


ORDINARY: Final = "ordinary"

PROFILES: Final[Mapping[str, BehaviourProfile]] = {
    ORDINARY: BehaviourProfile(
        rejects_pct=5, omits_acknowledgement_pct=4, reorders_pct=3, duplicates_pct=5, ignores_cancellation_pct=2
    ),
    "prompt": BehaviourProfile(pace=0.0),
    "slow": BehaviourProfile(pace=4.0),
    "silent": BehaviourProfile(silent_pct=100),
    "rejecting": BehaviourProfile(rejects_pct=100),
    "duplicating": BehaviourProfile(duplicates_pct=100, copies=3),
    "out-of-order": BehaviourProfile(reorders_pct=100),
    "contradictory": BehaviourProfile(contradicts_pct=100),
    "stubborn": BehaviourProfile(ignores_cancellation_pct=100),
    "bad-news": BehaviourProfile(negative_pct=100),
    "talkative": BehaviourProfile(reports=12),
    "fast-clock": BehaviourProfile(clock=timedelta(days=3)),
    "slow-clock": BehaviourProfile(clock=timedelta(days=-400)),
    "wrong-signing-clock": BehaviourProfile(signing_clock=timedelta(minutes=10)),
}


def behaviour_profile(named: str) -> BehaviourProfile:
    """Returns the profile with this name, or with several names joined by ``+``. Raises ``UnknownBehaviourError``."""
    unknown = [name for name in named.split("+") if name not in PROFILES]
    if unknown:
        raise UnknownBehaviourError(f"unknown profile {', '.join(unknown)}; the profiles are {', '.join(PROFILES)}")
    return _combined(PROFILES[name] for name in named.split("+"))


def _combined(several: Iterable[BehaviourProfile]) -> BehaviourProfile:
    """Returns one profile with the settings of each that differ from the defaults."""
    whole, plain = BehaviourProfile(), BehaviourProfile()
    for one in several:
        own: dict[str, Any] = {
            field.name: getattr(one, field.name)
            for field in fields(one)
            if getattr(one, field.name) != getattr(plain, field.name)
        }
        whole = replace(whole, **own)
    return whole
