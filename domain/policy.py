"""Every number of the programme: deadlines, validity windows, ceilings. Versioned; rules hold none.

Numbers are of two kinds (domain.md 00, 20). *Pinned* ones are fixed when a case or referral is opened (deadlines,
ceilings); a case keeps the edition it was opened under. *In force* ones guard safety (validity windows, gate rules)
and are always read from the newest edition. Published editions are never edited: a change is a new edition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.calendar import Span, days, hours, working_days
from domain.words import ClearanceKind as Clearance
from domain.words import HoldType
from domain.words import ReferralKind as Kind


@dataclass(frozen=True)
class Answer:
    """How long a partner has: to acknowledge, to complete, and until when the request stands (domain.md 6, 5.2)."""

    ack: Span
    complete: Span
    stands: Span


@dataclass(frozen=True)
class Pinned:
    """Numbers a case or a referral keeps from the day it was opened."""

    answers: Mapping[Kind, Answer]
    escalations: Mapping[str, Span]
    """After a missed due date: how much later each level is told (T-ladder, domain.md 5.2)."""
    urgent_first_escalation: Span
    reintegration_ceiling_eur: int
    immediate_cash_eur: int
    reopen_window: Span
    retention: Span
    quarantine_review: Span
    referral_review: Span
    """How often a paused referral, or one that nobody answers, comes up again."""
    late_result_review: Span
    withdrawal_contact: Span


@dataclass(frozen=True)
class InForce:
    """Numbers that guard safety, whatever the case was opened under."""

    validity: Mapping[Clearance, Span | None]
    """How long a clearance lasts; ``None`` is until something ends it."""
    reaffirmation: Span
    fit_to_travel_from: Span
    fit_to_travel_until: Span
    document_margin: Span
    two_interviews_apart: Span
    screening_stale: Span
    hold_review: Mapping[HoldType, Span]
    reception_opens: Span
    freeze: Span
    onward_sleep: Span
    task_link: Span
    """How long a one-time link to a request may be opened."""
    task_link_tries: int
    """So many wrong codes end a link."""
    contact: Span
    """Within what time somebody who asks to be called is called."""


@dataclass(frozen=True)
class Policy:
    edition: str
    pinned: Pinned
    in_force: InForce


STANDARD: Final = Answer(working_days(3), days(30), days(60))

_ANSWERS: Final[Mapping[Kind, Answer]] = {
    Kind.PROTECTION_ASSISTANCE: Answer(hours(72), days(14), days(45)),
    Kind.VOT_ASSISTANCE: Answer(hours(4), hours(24), days(14)),
    Kind.GBV_SERVICES: Answer(hours(24), days(7), days(30)),
    Kind.CHILD_BIA: Answer(hours(24), days(14), days(45)),
    Kind.GUARDIANSHIP: Answer(hours(72), working_days(10), days(45)),
    Kind.FAMILY_TRACING: Answer(working_days(3), days(30), days(90)),
    Kind.FAMILY_ASSESSMENT: Answer(working_days(3), days(21), days(60)),
    Kind.BID_PANEL: Answer(working_days(3), days(30), days(60)),
    Kind.UNHCR_ASYLUM: Answer(working_days(3), days(30), days(3650)),
    Kind.SAFETY_ASSESSMENT: Answer(working_days(3), working_days(10), days(45)),
    Kind.MHPSS: Answer(working_days(5), days(30), days(60)),
    Kind.SHELTER_DIRECT_ASSISTANCE: Answer(hours(4), hours(24), days(7)),
    Kind.LEGAL_ASSISTANCE: STANDARD,
    Kind.COMMUNITY_LIAISON: Answer(working_days(2), working_days(10), days(30)),
    Kind.DETENTION_RELEASE: Answer(working_days(3), working_days(10), days(45)),
    Kind.MEDICAL_ASSESSMENT: Answer(working_days(2), working_days(10), days(45)),
    Kind.SPECIALIST_CARE: Answer(working_days(5), days(30), days(60)),
    Kind.FIT_TO_TRAVEL: Answer(hours(24), hours(66), days(5)),
    Kind.AIRLINE_MEDICAL: Answer(hours(24), hours(72), days(14)),
    Kind.MEDICAL_EVACUATION: Answer(hours(2), hours(72), days(14)),
    Kind.CONSULAR_IDENTITY: Answer(working_days(3), days(24), days(75)),
    Kind.TRAVEL_DOCUMENT: Answer(working_days(3), working_days(10), days(60)),
    Kind.EXIT_PERMIT: Answer(working_days(3), working_days(7), days(45)),
    Kind.MOVEMENT_BOOKING: Answer(hours(24), working_days(3), days(14)),
    Kind.ESCORT: Answer(working_days(2), working_days(5), days(21)),
    Kind.TRANSIT_ASSISTANCE: Answer(working_days(2), working_days(3), days(21)),
    Kind.RECEPTION: Answer(working_days(2), days(30), days(90)),
    Kind.MEDICAL_HANDOVER: Answer(working_days(2), days(21), days(60)),
    Kind.PROTECTION_HANDOVER: Answer(working_days(2), days(21), days(60)),
    Kind.CHILD_HANDOVER: Answer(working_days(2), days(21), days(60)),
    Kind.REINTEGRATION_COUNSELLING: Answer(working_days(5), days(14), days(90)),
    Kind.REINTEGRATION_SERVICE: Answer(working_days(5), days(180), days(365)),
    Kind.PROCUREMENT: Answer(working_days(3), days(30), days(120)),
}

_2026_1: Final = Policy(
    edition="2026-1",
    pinned=Pinned(
        answers=_ANSWERS,
        escalations={"L1": working_days(3), "L2": working_days(5), "L3": working_days(10)},
        urgent_first_escalation=working_days(1),
        reintegration_ceiling_eur=1200,
        immediate_cash_eur=65,
        reopen_window=days(365),
        retention=days(5 * 365),
        quarantine_review=working_days(2),
        referral_review=days(14),
        late_result_review=hours(4),
        withdrawal_contact=hours(24),
    ),
    in_force=InForce(
        validity={
            Clearance.CONSENT_RETURN: days(180),
            Clearance.PROTECTION_CLEARANCE: days(90),
            Clearance.SAFETY_OF_RETURN: None,
            Clearance.MEDICAL_ASSESSMENT: days(90),
            Clearance.FIT_TO_TRAVEL: hours(72),
            Clearance.AIRLINE_MEDICAL: days(14),
            Clearance.TRAVEL_DOCUMENT: days(30),
            Clearance.EXIT_PERMIT: days(30),
            Clearance.RELEASE_AUTHORISATION: days(14),
            Clearance.CHILD_BEST_INTERESTS: days(90),
            Clearance.RECEPTION_CONFIRMED: None,
            Clearance.ESCORT_ASSIGNED: None,
            Clearance.FUNDING_ALLOCATED: None,
        },
        reaffirmation=hours(72),
        fit_to_travel_from=hours(72),
        fit_to_travel_until=hours(6),
        document_margin=days(1),
        two_interviews_apart=hours(24),
        screening_stale=days(90),
        hold_review={
            **dict.fromkeys(HoldType, days(7)),
            HoldType.SAFETY: days(14),
            HoldType.LEGAL: days(14),
            HoldType.CONTACT_LOST: days(14),
        },
        reception_opens=days(14),
        freeze=hours(48),
        onward_sleep=hours(48),
        task_link=days(7),
        task_link_tries=5,
        contact=working_days(1),
    ),
)

POLICIES: Final[Mapping[str, Policy]] = {_2026_1.edition: _2026_1}
NEWEST: Final = _2026_1


def policy_of(edition: str) -> Policy:
    """The edition a case was opened under. ``KeyError`` is a defect: published editions stay."""
    return POLICIES[edition]
