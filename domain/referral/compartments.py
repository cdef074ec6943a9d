"""Compartments of partner responses: general, medical or protection.

Fields that were not requested are sealed separately from the response, in the strictest compartment that applies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from domain.kernel.event import Compartment
from domain.kernel.vocabulary import ReferralKind
from domain.referral.outcomes import OUTCOMES

MEDICAL_KINDS: Final = frozenset(
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

PROTECTION_KINDS: Final = frozenset(
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
"""Kinds whose responses are sealed in the protection compartment.

The outcome code of these kinds and of ``MEDICAL_KINDS`` is sealed too.
"""

SLOTS: Final[Mapping[Compartment, str]] = {
    Compartment.GEN: "answer",
    Compartment.MED: "care_answer",
    Compartment.PROT: "protection_answer",
}


def compartment_of(kind: ReferralKind) -> Compartment:
    """Returns the compartment in which responses to a kind of referral are sealed."""
    if kind in MEDICAL_KINDS:
        return Compartment.MED
    return Compartment.PROT if kind in PROTECTION_KINDS else Compartment.GEN


def answer_fields(kind: ReferralKind, answer: Mapping[str, Any], outcome_code: str | None = None) -> dict[str, Any]:
    """Returns a response as event fields, in the compartment of its kind.

    The outcome code is public only if it is a known code of a kind in the general compartment.
    """
    home = compartment_of(kind)
    known = kind in OUTCOMES and outcome_code in OUTCOMES[kind].known
    if home is Compartment.GEN and (known or outcome_code is None):
        return {"outcome_code": outcome_code, SLOTS[home]: dict(answer)}
    return {SLOTS[home]: {**answer, "outcome_code": outcome_code}}


def _fields(kinds: Iterable[ReferralKind]) -> frozenset[str]:
    return frozenset(name for kind in kinds for name in OUTCOMES[kind].payload.model_fields)


MEDICAL_FIELDS: Final = _fields(MEDICAL_KINDS) | {
    *("diagnosis", "diagnoses", "medication", "medications", "treatment", "test_results", "allergies", "hiv", "tb"),
    *("mental_health", "disability", "blood_group", "medical_history"),
}

PROTECTION_FIELDS: Final = _fields(PROTECTION_KINDS) | {
    *("trafficking", "indicators", "exploitation", "violence", "threat", "threats", "asylum", "fear", "narrative"),
    *("perpetrator", "abuse", "safe_house"),
}


@dataclass(frozen=True)
class SplitPayload:
    """A payload, split into requested fields and unrequested fields by compartment."""

    requested: dict[str, Any]
    unrequested: dict[Compartment, dict[str, Any]]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the unrequested fields."""
        return tuple(sorted(name for part in self.unrequested.values() for name in part))


def split_payload(kind: ReferralKind, payload: Mapping[str, Any]) -> SplitPayload:
    """Splits a payload by what its kind of referral requests.

    Unrequested fields from a clinic stay in the medical compartment. Those of a kind in the general compartment, such
    as an embassy's, are sealed in the protection compartment.
    """
    home, requested = compartment_of(kind), dict[str, Any]()
    fits: frozenset[str] = frozenset(OUTCOMES[kind].payload.model_fields) if kind in OUTCOMES else frozenset()
    unrequested: dict[Compartment, dict[str, Any]] = {}
    for name, value in payload.items():
        place = home if name in fits else _compartment_of_field(name, home)
        (requested if place is home else unrequested.setdefault(place, {}))[name] = value
    return SplitPayload(requested, unrequested)


def _compartment_of_field(name: str, home: Compartment) -> Compartment:
    if name in MEDICAL_FIELDS:
        return Compartment.MED
    if name in PROTECTION_FIELDS or home is Compartment.GEN:
        return Compartment.PROT
    return home
