"""What partners answer to each kind of referral, how fast, and in which manner (estimates, not statistics).

A manner is how one organisation behaves, whatever it is asked: promptly, slowly, not at all, twice, in the wrong
order, against its own word, or by a clock that is wrong. Manners add up: ``duplicating+contradictory``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, Final

from domain.kernel.vocabulary import ReferralKind
from simulator.seeded_random import DurationSpread


class UnknownBehaviourError(ValueError):
    """No manner has this name."""


# What is answered, and how fast


@dataclass(frozen=True)
class Behaviour:
    """How one kind of referral is answered: how often with which outcome, and with which one if things go badly.

    ``confirms``: answered before a flight with this word, and completed after it. ``full``: the word of a no.
    """

    accepted: DurationSpread
    completed: DurationSpread
    outcomes: Mapping[str, float]
    badly: str
    may_reject: bool = True
    confirms: str | None = None
    full: str = "NO_CAPACITY"


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
        confirms="CONFIRMED",
        full="CANNOT_RECEIVE",
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


# In which manner


@dataclass(frozen=True)
class BehaviourProfile:
    """How one organisation behaves. Shares are per cent of its referrals.

    ``pace``: how many times as long as usual everything takes. ``reports``: how often it reports progress on the way.
    ``stubborn_pct``: answers although it was told that the referral has ended. ``clock``: how far ahead of the time
    its clock is, in what it says; ``signing_clock``: the same of the machine that signs.
    """

    pace: float = 1.0
    silent_pct: float = 0.0
    rejects_pct: float = 0.0
    forgets_pct: float = 0.0
    overtakes_pct: float = 0.0
    repeats_pct: float = 0.0
    times: int = 2
    contradicts_pct: float = 0.0
    stubborn_pct: float = 0.0
    badly_pct: float = 0.0
    reports: int = 0
    clock: timedelta = timedelta(0)
    signing_clock: timedelta = timedelta(0)


ORDINARY: Final = "ordinary"

MANNERS: Final[Mapping[str, BehaviourProfile]] = {
    ORDINARY: BehaviourProfile(rejects_pct=5, forgets_pct=4, overtakes_pct=3, repeats_pct=5, stubborn_pct=2),
    "prompt": BehaviourProfile(pace=0.0),
    "slow": BehaviourProfile(pace=4.0),
    "silent": BehaviourProfile(silent_pct=100),
    "rejecting": BehaviourProfile(rejects_pct=100),
    "duplicating": BehaviourProfile(repeats_pct=100, times=3),
    "out-of-order": BehaviourProfile(overtakes_pct=100),
    "contradictory": BehaviourProfile(contradicts_pct=100),
    "stubborn": BehaviourProfile(stubborn_pct=100),
    "bad-news": BehaviourProfile(badly_pct=100),
    "talkative": BehaviourProfile(reports=12),
    "fast-clock": BehaviourProfile(clock=timedelta(days=3)),
    "slow-clock": BehaviourProfile(clock=timedelta(days=-400)),
    "wrong-signing-clock": BehaviourProfile(signing_clock=timedelta(minutes=10)),
}


def behaviour_profile(named: str) -> BehaviourProfile:
    """The manner of that name, or of several names joined by ``+``. Raises ``UnknownBehaviourError``."""
    unknown = [name for name in named.split("+") if name not in MANNERS]
    if unknown:
        raise UnknownBehaviourError(f"{', '.join(unknown)}: there are {', '.join(MANNERS)}")
    return _added(MANNERS[name] for name in named.split("+"))


def _added(several: Iterable[BehaviourProfile]) -> BehaviourProfile:
    """What each of them has of its own, together."""
    whole, plain = BehaviourProfile(), BehaviourProfile()
    for one in several:
        own: dict[str, Any] = {
            field.name: getattr(one, field.name)
            for field in fields(one)
            if getattr(one, field.name) != getattr(plain, field.name)
        }
        whole = replace(whole, **own)
    return whole
