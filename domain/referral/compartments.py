"""Where an answer is kept: in public, under the medical seal, or protected.

Fields that a kind does not ask for are sealed apart from its answer, under the tightest seal that fits them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from domain.kernel.event import Compartment
from domain.kernel.vocabulary import ReferralKind
from domain.referral.outcomes import OUTCOMES

CARE_KINDS: Final = frozenset(
    {
        ReferralKind.MEDICAL_ASSESSMENT,
        ReferralKind.SPECIALIST_CARE,
        ReferralKind.FIT_TO_TRAVEL,
        ReferralKind.MHPSS,
        ReferralKind.MEDICAL_EVACUATION,
        ReferralKind.MEDICAL_HANDOVER,
    }
    | {ReferralKind.AIRLINE_MEDICAL}
)

SHELTERED_KINDS: Final = frozenset(
    {
        ReferralKind.PROTECTION_ASSISTANCE,
        ReferralKind.VOT_ASSISTANCE,
        ReferralKind.GBV_SERVICES,
        ReferralKind.UNHCR_ASYLUM,
        ReferralKind.SAFETY_ASSESSMENT,
    }
    | {
        ReferralKind.PROTECTION_HANDOVER,
        ReferralKind.CHILD_BIA,
        ReferralKind.BID_PANEL,
        ReferralKind.FAMILY_ASSESSMENT,
        ReferralKind.FAMILY_TRACING,
    }
)
"""Kinds whose very outcome is sealed: medical secrets, and what protection partners say."""

SLOTS: Final[Mapping[Compartment, str]] = {
    Compartment.GEN: "answer",
    Compartment.MED: "care_answer",
    Compartment.PROT: "protection_answer",
}


def home_of(kind: ReferralKind) -> Compartment:
    """Under which seal the answers of a kind are kept."""
    if kind in CARE_KINDS:
        return Compartment.MED
    return Compartment.PROT if kind in SHELTERED_KINDS else Compartment.GEN


def placed(kind: ReferralKind, answer: Mapping[str, Any], outcome_code: str | None = None) -> dict[str, Any]:
    """An answer, put where its kind keeps it. Only a known code of a kind that hides nothing is public."""
    home = home_of(kind)
    known = kind in OUTCOMES and outcome_code in OUTCOMES[kind].known
    if home is Compartment.GEN and (known or outcome_code is None):
        return {"outcome_code": outcome_code, SLOTS[home]: dict(answer)}
    return {SLOTS[home]: {**answer, "outcome_code": outcome_code}}


def _fields(kinds: Iterable[ReferralKind]) -> frozenset[str]:
    return frozenset(name for kind in kinds for name in OUTCOMES[kind].payload.model_fields)


OF_CARE: Final = _fields(CARE_KINDS) | {
    *("diagnosis", "diagnoses", "medication", "medications", "treatment", "test_results", "allergies", "hiv", "tb"),
    *("mental_health", "disability", "blood_group", "medical_history"),
}

OF_PROTECTION: Final = _fields(SHELTERED_KINDS) | {
    *("trafficking", "indicators", "exploitation", "violence", "threat", "threats", "asylum", "fear", "narrative"),
    *("perpetrator", "abuse", "safe_house"),
}


@dataclass(frozen=True)
class SplitPayload:
    """A payload, parted: what its kind asks for, and what it does not, by the seal that fits it."""

    asked: dict[str, Any]
    beyond: dict[Compartment, dict[str, Any]]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(name for part in self.beyond.values() for name in part))


def split_payload(kind: ReferralKind, payload: Mapping[str, Any]) -> SplitPayload:
    """Part a payload. What a clinic adds stays a medical secret; what an embassy adds is nobody's but protection's."""
    home, asked = home_of(kind), dict[str, Any]()
    fits: frozenset[str] = frozenset(OUTCOMES[kind].payload.model_fields) if kind in OUTCOMES else frozenset()
    beyond: dict[Compartment, dict[str, Any]] = {}
    for name, value in payload.items():
        place = home if name in fits else _seal_of(name, home)
        (asked if place is home else beyond.setdefault(place, {}))[name] = value
    return SplitPayload(asked, beyond)


def _seal_of(name: str, home: Compartment) -> Compartment:
    if name in OF_CARE:
        return Compartment.MED
    if name in OF_PROTECTION or home is Compartment.GEN:
        return Compartment.PROT
    return home
